"""Laws of the cache: nobody is ever given another's answer, whatever collides; a message and its stream are one."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fastgate._core.digest import read_canonical
from fastgate._core.request import read_request
from fastgate.caching import key as keys
from fastgate.caching.answers import Answers
from fastgate.caching.entry import Entry, Head
from fastgate.caching.forms import message_of, stream_of
from fastgate.caching.key import Key, scope_of, whose
from fastgate.caching.known import Known
from fastgate.caching.purge import Purge
from fastgate.snapshot import KeyRow
from fastgate.snapshot_cache import CachePolicy
from tests.support.plane import CACHE

TENANTS = {
    name: KeyRow(name.encode(), f"{name}-key", f"{name}-user", team, org, "", {}, (), 0)
    for name, team, org in (("alice", "platform", "acme"), ("bob", "data", "acme"), ("mallory", "platform", "evil"))
}
"""Two teams of one org, and a team of the same name elsewhere."""

WIDTHS = st.sampled_from(["org", "team", "user", "key", "session"])
QUESTIONS = st.sampled_from([f"question {n}" for n in range(4)])
NAMED = st.sampled_from(["", "ci", "team"])
MODELS = st.sampled_from(["claude-opus-5-5", "claude-haiku-5-5"])
LINES = st.sampled_from(
    [b"anthropic-beta: a,b\r\nx-app: cli\r\n", b"anthropic-beta: b,a\r\n", b"anthropic-beta: a\r\n"]
)
POLICIES: dict[tuple[str, str], CachePolicy] = {}
"""By width and the guards' version; one object each, as a snapshot has it."""

HOUR_NS = 3600 * 1_000_000_000


class Tenants(RuleBasedStateMachine):
    """Three tenants ask, store and purge in any order, in memory and on disk. The model says who may share what."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.stored: dict[Any, bytes] = {}
        self.serial = 0
        self.open()

    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.answers = Answers(CACHE, Path(self.directory.name) / "cache", self.loop)

    def close(self) -> None:
        self.answers.close()
        self.loop.close()

    def teardown(self) -> None:
        self.close()
        self.directory.cleanup()

    @rule(who=st.sampled_from(sorted(TENANTS)), width=WIDTHS, named=NAMED, model=MODELS, lines=LINES, text=QUESTIONS,
          session=st.sampled_from(["s1", "s2"]), rules=st.sampled_from(["", "v2"]))  # fmt: skip
    def ask(
        self, who: str, width: str, named: str, model: str, lines: bytes, text: str, session: str, rules: str
    ) -> None:
        scope = scope_of(width, TENANTS[who], session)
        assert scope is not None
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
        policy = POLICIES.setdefault((width, rules), msgspec.structs.replace(CACHE, width=width, rules=rules))
        asker = self.answers.known.asker(policy, TENANTS[who], "messages", model, lines, session, named)
        key = self.answers.known.question(asker, body, read_request(body)).key
        assert key is not None
        betas = b",".join(sorted(lines.partition(b"\r\n")[0].removeprefix(b"anthropic-beta: ").split(b",")))
        same = (scope, named, model, betas, text, rules)
        found = self.answers.look(key, time.time_ns(), 0)
        if found is not None:
            assert self.stored.get(same) == found.body
            assert found.head.org == TENANTS[who].org
            return
        self.serial += 1
        self.stored[same] = f"{who} {self.serial}".encode()
        self.answers.keep(key.find, self.entry(key, TENANTS[who], named, model, self.stored[same]))

    def entry(self, key: Key, who: KeyRow, named: str, model: str, body: bytes) -> Entry:
        now_ns = time.time_ns()
        return Entry(
            Head(
                key.proof, key.scope, who.org, who.team, who.user, who.key, named, "messages", "message", model, "up",
                "anthropic", "fg", now_ns, now_ns + HOUR_NS, 1, (1, 1, 0, 0, 0), 0, "end_turn",
            ),
            body,
        )  # fmt: skip

    @rule()
    def another_worker(self) -> None:
        """The same disk, an empty memory."""
        self.close()
        self.open()

    @rule(who=st.sampled_from(sorted(TENANTS)))
    def purge(self, who: str) -> None:
        assert self.answers.disk is not None
        before_ns = time.time_ns()
        self.answers.disk.purge(Purge(before_ns=before_ns, org=TENANTS[who].org, team=TENANTS[who].team))
        self.answers.listen()
        heads = [entry.head for entry in self.answers.memory._entries.values()]
        gone = {TENANTS[who].key}
        assert not any(head.key in gone and head.started_ns < before_ns for head in heads)

    @invariant()
    def memory_is_counted(self) -> None:
        memory = self.answers.memory
        assert memory.bytes == sum(entry.size for entry in memory._entries.values())


STEPS = settings(max_examples=10, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.promise("P-24", bound="no crossing hit of three tenants in any order of calls, purges and restarts")
def test_three_tenants_never_meet() -> None:
    run_state_machine_as_test(Tenants, settings=STEPS)


@pytest.mark.promise("P-24", bound="nor where every first hash collides")
def test_three_tenants_never_meet_where_all_hashes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """XXH3 made constant: fewer hits, never a wrong one."""
    monkeypatch.setattr(keys, "found", lambda first, second: b"\x00" * 16)
    run_state_machine_as_test(Tenants, settings=STEPS)


@given(
    st.lists(st.tuples(st.sampled_from(["org", "key"]), LINES, QUESTIONS, st.sampled_from([0, 1, "x"])), max_size=12)
)
def test_what_is_known_is_what_is_read(asked: list[tuple[str, bytes, str, Any]]) -> None:
    """A question that comes again, however it comes between others, has the key of its canonical form."""
    known = Known()
    for width, lines, text, heat in asked:
        scope = scope_of(width, TENANTS["alice"], "")
        assert scope is not None
        message = {"role": "user", "content": text}
        fields = {"model": "m", "messages": [message], "temperature": heat, "safeguards": heat or None}
        body = json.dumps(fields, indent=heat if isinstance(heat, int) else None).encode()
        policy = POLICIES.setdefault((width, ""), msgspec.structs.replace(CACHE, width=width))
        asker = known.asker(policy, TENANTS["alice"], "messages", "m", lines, "", "")
        found = known.question(asker, body, read_request(body))
        assert (found.key is None) == bool(heat)
        if found.key is not None:
            key = Key(scope, "", whose(scope, "", "messages", "m", lines, ""), read_canonical(body).data)
            assert (found.key.find, found.key.proof) == (key.find, key.proof)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
INPUTS = st.dictionaries(TEXTS, st.one_of(st.integers(), st.booleans(), TEXTS, st.none()), max_size=3)
BLOCKS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS},
                          optional={"citations": st.lists(st.just({"type": "x", "cited_text": "y"}), max_size=2)}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXTS, "signature": TEXTS}),
    st.fixed_dictionaries({"type": st.just("tool_use"), "id": TEXTS, "name": TEXTS, "input": INPUTS}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": TEXTS}),
)  # fmt: skip
MESSAGES = st.fixed_dictionaries({
    "id": TEXTS, "type": st.just("message"), "role": st.just("assistant"), "model": TEXTS,
    "content": st.lists(BLOCKS, max_size=4), "stop_reason": st.sampled_from(["end_turn", "tool_use"]),
    "stop_sequence": st.none(), "usage": st.just({"input_tokens": 3, "output_tokens": 5}),
}, optional={"context_management": st.just({"applied_edits": []})})  # fmt: skip


@given(MESSAGES)
def test_a_message_told_as_a_stream_is_the_same_message(message: dict[str, Any]) -> None:
    assert json.loads(message_of(stream_of(json.dumps(message).encode()))) == message
