"""The coverage matrix, generated: dialect x route x stream x kind of block x rule, of requests and of answers. A rule
in force fires wherever it says that it looks, on every way in and back, streamed or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from fastgate.guards.rule import ANSWER, KINDS, Kind, Rule, load_scanners
from fastgate.sim.behaviour import Behaviour
from fastgate.snapshot import GuardRow
from tests.gateway.conftest import World
from tests.support.plane import KEY, Plane

SHIPPED = load_scanners()
PER_CALL = 24
"""Rules tried in one call: the record names 64 verdicts, and some samples make several rules fire."""

MESSAGES = ("/v1/messages", "/v1/v1/messages", "/v1/messages/count_tokens")
BEDROCK = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
VERTEX = "/v1/projects/p/locations/us-east5/publishers/anthropic/models"
WAYS = [
    *((path, stream) for path in MESSAGES for stream in (False, True) if not (stream and "count" in path)),
    (f"{BEDROCK}/invoke", False),
    (f"{BEDROCK}/invoke-with-response-stream", True),
    (f"{VERTEX}/claude-sonnet-4-5@20250929:rawPredict", False),
    (f"{VERTEX}/claude-sonnet-4-5@20250929:streamRawPredict", True),
    (f"{VERTEX}/count-tokens:rawPredict", False),
]
ANSWERED = [(path, stream) for path, stream in WAYS if "count" not in path]


@pytest.fixture(scope="module", autouse=True)
def _logging(plane: Plane) -> Iterator[None]:
    """Every family, logging: nothing is refused, all is recorded."""
    plane.guards = tuple(GuardRow(name, "log") for name in SHIPPED)
    plane.publish()
    plane.wait_adopted(60)
    yield
    plane.guards = ()
    plane.publish()
    plane.wait_adopted()


def rules_of(kind: Kind) -> list[Rule]:
    return [rule for scanner in SHIPPED.values() for rule in scanner.rules if kind in rule.kinds]


def block(kind: Kind, samples: list[str]) -> dict[str, Any]:
    """A body with the samples, each in a block of that kind; a value in JSON has them on its second line, as rules that
    go by the beginning of a line (`.env` files) see files there."""
    if kind == "tool_use_input":
        samples = [f"as follows\n{sample}" for sample in samples]
    texts = [{"type": "text", "text": sample} for sample in samples]
    use = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "done"}
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "go on"}]}
    if kind == "system":
        body["system"] = texts
    elif kind == "user_text":
        body["messages"] = [{"role": "user", "content": texts}]
    elif kind == "assistant_text":
        body["messages"] += [{"role": "assistant", "content": texts}, {"role": "user", "content": "go on"}]
    elif kind == "tool_result":
        result["content"] = texts  # type: ignore[assignment]
        body["messages"] += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    elif kind == "tool_use_input":
        uses = [use | {"id": f"t{n}", "input": {"command": sample}} for n, sample in enumerate(samples)]
        results = [result | {"tool_use_id": f"t{n}"} for n in range(len(samples))]
        body["messages"] += [{"role": "assistant", "content": uses}, {"role": "user", "content": results}]
    elif kind == "document":
        sources = [{"type": "text", "media_type": "text/plain", "data": sample} for sample in samples]
        body["messages"] = [{"role": "user", "content": [{"type": "document", "source": s} for s in sources]}]
    else:
        body["tools"] = [tool(sample, n) for n, sample in enumerate(samples)]
    return body


def tool(sample: str, n: int) -> dict[str, Any]:
    """A tool so described; a sample that begins with a name is the whole of one."""
    if sample.startswith("name: "):
        return dict(line.split(": ", 1) for line in sample.split("\n")) | {"input_schema": {}}
    return {"name": f"tool{n}", "description": f"as follows\n{sample}", "input_schema": {}}


def head_of(path: str, stream: bool) -> dict[str, Any]:
    """What a body has beside its content, in the dialect of the path."""
    if path.startswith("/model/"):
        return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 8}
    if "count-tokens" in path:
        return {"anthropic_version": "vertex-2023-10-16", "model": "claude-sonnet-4-5@20250929"}
    if "/projects/" in path:
        said: dict[str, Any] = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 8}
        return said | ({"stream": True} if stream else {})
    return {"model": "claude-sonnet-5-5", "max_tokens": 8, "stream": stream}


def share_of(ways: list[tuple[str, bool]], way: tuple[str, bool], kind: Kind) -> list[Rule]:
    """The rules that are tried on one way: all of them on the first; on each other, which shares its code from the body
    on, another part, so that every rule is tried on two ways."""
    at, rules = ways.index(way), rules_of(kind)
    return rules if at == 0 else rules[at - 1 :: len(ways) - 1]


def missed_by(world: World, kind: Kind, rules: list[Rule], ask: Callable[[list[Rule]], None]) -> list[str]:
    """The rules that do not fire, though `ask` makes a call with a sample of each. Those that miss beside other samples
    are tried again: some look at what stands around."""
    missed: list[str] = []
    for at in range(0, len(rules), PER_CALL):
        left, tried = rules[at : at + PER_CALL], PER_CALL
        while left and tried:
            some, rest = left[:tried], left[tried:]
            count = world.plane.recorded()
            ask(some)
            record = world.plane.settled(count + 1)[-1]
            assert record.guard in ("pass", "not-scanned")
            fired = {verdict.rule for verdict in record.verdicts if verdict.kind == kind}
            before = len(left)
            left = [rule for rule in some if rule.id not in fired] + rest
            if len(left) == before:
                tried //= 2
        missed += [rule.id for rule in left]
    return missed


def post(world: World, path: str, body: dict[str, Any]) -> None:
    answer = world.plane.request("POST", path, json.dumps(body).encode(), authorization=f"Bearer {KEY}")
    assert answer.status == 200


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ANSWER])
@pytest.mark.parametrize(("path", "stream"), WAYS)
def test_every_rule_fires_in_every_block_it_looks_at(world: World, path: str, stream: bool, kind: Kind) -> None:
    def ask(rules: list[Rule]) -> None:
        post(world, path, head_of(path, stream) | block(kind, [rule.samples[0] for rule in rules]))

    assert missed_by(world, kind, share_of(WAYS, (path, stream), kind), ask) == []


@pytest.mark.parametrize("kind", sorted(ANSWER))
@pytest.mark.parametrize(("path", "stream"), ANSWERED)
def test_every_rule_fires_in_every_answer_it_looks_at(world: World, path: str, stream: bool, kind: Kind) -> None:
    """In a text that comes in deltas of a few characters, and in what a tool is given."""
    use = {"type": "tool_use", "name": "Read", "input": {}}
    result = {"type": "tool_result", "content": "done"}
    turns = [
        {"role": "user", "content": "go on"},
        {"role": "assistant", "content": [use | {"id": "t1"}, use | {"id": "t2"}]},
        {"role": "user", "content": [result | {"tool_use_id": "t1"}, result | {"tool_use_id": "t2"}]},
    ]

    def ask(rules: list[Rule]) -> None:
        said = "as follows\n" + "\n\n".join(rule.samples[0] for rule in rules)
        told = {"scenario": "text", "text": said} if kind == "answer_text" else {"scenario": "loop", "command": said}
        world.simulator.script(msgspec.convert(told, Behaviour))
        post(world, path, head_of(path, stream) | {"messages": turns})

    assert missed_by(world, kind, share_of(ANSWERED, (path, stream), kind), ask) == []
