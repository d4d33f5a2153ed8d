"""What one simulated answer should be: the vocabulary of faults and overrides, and the three ways to ask for them.

A behaviour comes from a directive in the prompt (`[[sim:error status=529 n=2]]`), from the header `x-sim` with the same
words, or from the script that `POST /__sim/script` queues. Shapes and parsing only; knows nothing of sockets.
"""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

Scenario = Literal["", "auto", "plain", "text", "thinking", "loop", "parallel", "subagent"]
Framing = Literal["", "chunked", "length", "close"]
Cut = Literal["", "rst", "fin", "clean"]
"""rst: the socket is reset. fin: it is closed in the middle of the framing. clean: the framing ends properly, early."""
Garbage = Literal["", "binary", "text", "comments", "unterminated", "utf8", "json", "chunk", "html"]
UsageForm = Literal["", "missing", "start-only", "delta-only", "twice", "decreasing", "falling"]

DIRECTIVE = re.compile(r"\[\[sim:([^\]]*)\]\]")

DIRECTIVE_BYTES_MAX = 4096
"""A directive is a line that a person types; anything longer is conversation text that happens to look like one."""


class DirectiveError(ValueError):
    """The words of a directive, header or script that the simulator does not understand."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything that can be asked of one answer; the defaults are a healthy provider. Seconds end in `_s`."""

    scenario: Scenario = ""

    # What the model says.
    text: str = ""
    tokens: int = 0
    """Length of a text answer in output tokens (4 bytes each); 0 leaves the scenario's own text."""
    delta_chars: int = 0
    """Length of one text delta; 0 leaves the usual 16."""
    file: str = ""
    old: str = ""
    new: str = ""
    command: str = ""
    prompt: str = ""
    """What the sub-agent is told."""
    stop_reason: str = ""
    reply_model: str = ""
    """The model named in the answer, where it should differ from the one asked for."""
    safeguards: bool = True
    """False drops the verdicts, as a gateway does that rebuilds events from its own model of them."""
    pings: int = 0
    """So many ping events after message_start."""
    huge_bytes: int = 0
    """One text delta of so many bytes before the rest."""

    # What it says it costs.
    usage: dict[str, int] = {}
    """Overrides by name: input, output, cache_read, cache_write_5m, cache_write_1h, web_search, web_fetch,
    code_execution, compaction_input, compaction_output."""
    usage_form: UsageForm = ""
    usage_raw: str = ""
    """Verbatim JSON in place of the final usage object: `{"output_tokens":-5}`, `"lots"`, `{"output_tokens":1e30}`."""
    speed: str = ""
    inference_geo: str = ""
    service_tier: str = ""

    # The head.
    status: int = 200
    error_type: str = ""
    message: str = ""
    headers: dict[str, str] = {}
    retry_after: str = ""
    should_retry: str = ""
    body: str | None = None
    content_type: str = ""
    location: str = ""
    interim: int = 0
    """So many `103 Early Hints` before the real head."""
    framing: Framing = ""
    http: Literal["1.1", "1.0"] = "1.1"
    gzip: bool = False
    trailers: bool = False
    close: bool = False
    """Close the connection after a complete answer."""

    # Time.
    stall_head_s: float = 0.0
    stall_first_s: float = 0.0
    """After the head, before the first event."""
    stall_at: int = -1
    stall_s: float = 3600.0
    """Silence of `stall_s` before event number `stall_at`."""
    gap_ms: float = 0.0
    """Between events."""
    bytes_per_s: float = 0.0

    # Failure. Bytes count from the status line, events from message_start = 0.
    cut: Cut = ""
    cut_bytes: int = -1
    cut_event: int = -1
    error_at: int = -1
    """An SSE error event (error_type, message) in place of event number `error_at`; the stream ends with it."""
    garbage: Garbage = ""
    garbage_at: int = 1

    @property
    def healthy(self) -> bool:
        return self == HEALTHY


HEALTHY = Behaviour()

VERBS: dict[str, dict[str, str]] = {
    "error": {"status": "500"},
    "sse-error": {"error_at": "1", "error_type": "overloaded_error"},
    "cut": {"cut": "rst"},
    "stall": {"stall_at": "1"},
    "slow": {"bytes_per_s": "100"},
    "garbage": {"garbage": "text"},
    "huge": {"huge_bytes": "1000000"},
    "usage": {},
    "answer": {},
    "fault": {},
}
"""The first word of a directive: a fault with its usual values, or the name of a scenario."""

SCENARIOS = ("auto", "plain", "text", "thinking", "loop", "parallel", "subagent")


class Step(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A behaviour for the next `n` calls that match (0: for all of them). An empty condition matches everything."""

    do: Behaviour = HEALTHY
    n: int = 1
    model: str = ""
    """A glob."""
    session: str = ""
    contains: str = ""
    """A part of the last prompt's text."""
    stream: bool | None = None
    turn: int = -1
    """The number of tool rounds since the last prompt."""
    path: str = "/v1/messages"

    def matches(self, *, path: str, model: str, session: str, prompt: str, stream: bool, turn: int) -> bool:
        return (
            self.path == path
            and (not self.model or fnmatchcase(model, self.model))
            and (not self.session or self.session == session)
            and (not self.contains or self.contains in prompt)
            and (self.stream is None or self.stream == stream)
            and (self.turn < 0 or self.turn == turn)
        )


def parse_usage(text: str) -> dict[str, int]:
    """`input:10,output:20` as a mapping."""
    usage = {}
    for part in filter(None, text.split(",")):
        name, _, count = part.partition(":")
        if not count.lstrip("-").isdigit():
            raise DirectiveError(f"usage {part!r} is not NAME:COUNT")
        usage[name.strip()] = int(count)
    return usage


def parse_step(words: str) -> Step:
    """The inside of a directive, `VERB key=value …`, as a step; its `n` is 0 (always) unless given."""
    if len(words) > DIRECTIVE_BYTES_MAX:
        raise DirectiveError("directive too long")
    try:
        verb, *pairs = shlex.split(words)
    except ValueError as error:
        raise DirectiveError(f"directive {words!r}: {error}") from None
    fields: dict[str, Any] = dict(VERBS.get(verb, {}))
    if verb in SCENARIOS:
        fields["scenario"] = verb
    elif verb not in VERBS:
        raise DirectiveError(f"unknown directive {verb!r}; known: {', '.join((*SCENARIOS, *VERBS))}")
    step: dict[str, Any] = {"n": 0}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise DirectiveError(f"directive word {pair!r} is not key=value")
        if name in ("n", "model", "session", "turn", "stream"):
            step[name] = value
        elif name == "usage":
            fields[name] = parse_usage(value)
        elif name.startswith("header."):
            fields.setdefault("headers", {})[name.removeprefix("header.")] = value
        else:
            fields[name] = value
    try:
        return msgspec.convert({**step, "do": fields}, Step, strict=False)
    except msgspec.ValidationError as error:
        raise DirectiveError(f"directive {words!r}: {error}") from None


def directives(text: str) -> list[str]:
    """The insides of all directives of a prompt, in order."""
    return [found.strip() for found in DIRECTIVE.findall(text)]


def merged(steps: list[Behaviour]) -> Behaviour:
    """Several behaviours as one: what a later one sets wins."""
    if len(steps) == 1:
        return steps[0]
    fields: dict[str, Any] = {}
    for behaviour in steps:
        fields.update(msgspec.to_builtins(behaviour))
    return msgspec.convert(fields, Behaviour)
