"""The tap of answers that some rule looks at: text through a sliding window, tool input whole before it is released.

Owns what of an answer goes on, and when. Text is held back only as far as a rule that may change it needs; tool input
can be run by nobody before its block ends, so all of it waits. An answer that is stopped ends as answers end: a text
says why, then `end_turn` with the provider's own usage; an error in mid-stream would make Claude Code ask again.
Streams that no rule looks at never come here. Must not know calls or connections. Compiled with types (answer.pxd).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastgate._core.blocks import read_answer, replace
from fastgate._core.glance import holds_nothing
from fastgate._core.restore import events, with_text
from fastgate.clock import wall_ns
from fastgate.guards.closer import UNSCANNED
from fastgate.guards.placeholders import HASH_CHARS, merged
from fastgate.guards.rule import KINDS, Kind
from fastgate.guards.told import (
    begun_with_text,
    data_of,
    delta_event,
    is_unreadable,
    last_events,
    said_of,
    stop_event,
    text_block,
    told_at_once,
)
from fastgate.guards.tool_input import INPUT_FRAME_END, framed

if TYPE_CHECKING:
    from fastgate._core.block import Block
    from fastgate.call import Tap
    from fastgate.guards.policy import Act, Actions
    from fastgate.guards.screen import Guards, Verdict
    from fastgate.snapshot import KeyRow

CONTEXT_BYTES = 256
"""Of what has gone on, so much is still looked at: what a rule's `before` reaches back to."""

GROWING_BYTES_MAX = 65_536
"""A finding that reaches the end of the text may grow, and waits; past this it is taken as it is."""

TOOL_USE_INPUT = KINDS.index("tool_use_input")

NO_MESSAGE = "the answer is no message"
NOT_ALL = "a part of it was not looked at"

ENDING = ("message_delta", "message_stop", "ping", "error")
"""Events that may follow where an answer was stopped (Anthropic's API, streaming messages)."""

_STOP_REASON = re.compile(rb'"stop_reason"\s*:\s*"[a-z_]+"')


class Seen(NamedTuple):
    """What the rules make of a text: places to replace, and the first place (and rule) that stops the answer."""

    places: Sequence[tuple[int, int, str]]
    stop: tuple[int, str] | None


NOTHING = Seen((), None)


class Watch:
    """One answer's tap. `note` gets `noting` and each verdict."""

    guards: Guards
    who: KeyRow
    actions: Actions
    tools: tuple[str, ...]
    note: Callable[[Any, Verdict], object]
    noting: object
    restorer: Tap | None
    noted: set[tuple[int, int]] | None
    """What was told of the block, where anything was."""
    begun: bool
    """It is a stream; the rest is of streams."""
    rest: bytes
    hold: int
    stopped: bool
    context: bytes
    window: bytes
    gone: int
    """Bytes of the block's text that went on."""
    template: bytes
    parked: list[bytes] | None
    given: bytes
    tool: str

    def __init__(
        self,
        guards: Guards,
        who: KeyRow,
        actions: Actions,
        tools: tuple[str, ...],
        note: Callable[[Any, Verdict], object],
        noting: object,
        restorer: Tap | None,
    ) -> None:
        self.guards, self.who, self.actions, self.tools = guards, who, actions, tools
        self.note, self.noting = note, noting
        self.restorer = restorer
        self.noted = None
        self.begun = False

    @property
    def terms(self) -> tuple[Actions, tuple[str, ...]] | None:
        """As call.Tap says; None where secrets are put back, which are this call's own."""
        return (self.actions, self.tools) if self.restorer is None else None

    # -- a stream ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """What only a stream has: most answers that are no stream are judged and gone."""
        self.begun = True
        self.rest = b""
        self.hold = self.actions.hold
        self.stopped = False
        self.context = self.window = b""
        self.gone = 0
        self.template = self.given = b""
        self.parked = None
        self.tool = ""

    def feed(self, chunk: bytes) -> bytes:
        if not self.begun:
            self.start()
        found, self.rest = events(self.rest + chunk)
        out = b"".join([self.hear(raw, what, index, text) for raw, what, index, text in found])
        return out if self.restorer is None else self.restorer.feed(out)

    def finish(self) -> bytes:
        """The stream is over, or broke off: what was held back and not judged to its end is dropped with it."""
        if not self.begun:
            self.start()
        found, self.rest = last_events(self.rest), b""
        out = b"".join([self.hear(raw, what, index, text) for raw, what, index, text in found])
        out += self.release(final=True)
        return out if self.restorer is None else self.restorer.feed(out) + self.restorer.finish()

    def hear(self, raw: bytes, what: str, index: int, text: bytes) -> bytes:
        """What goes on for one event."""
        raw, what, index, text = told_at_once(raw, what, index, text)
        if self.stopped:
            return b"" if index >= 0 else ended(raw)
        if what == "text":
            self.template = raw
            self.window += text
            return self.release(final=False)
        if what == "json" and self.parked is not None:
            self.parked.append(raw)
            self.given += text
            return b""
        if what == "start":
            return self.begin(raw, index, text)
        if what == "stop":
            if self.parked is not None:
                return self.judge_input(raw, index)
            return self.release(final=True) + self.unless_stopped(raw)
        if what == "json":
            return self.pass_unread(raw, "answer_tool_input")
        return self.pass_unread(raw, "answer_text") if is_unreadable(raw, what, index) else raw

    def unless_stopped(self, raw: bytes) -> bytes:
        return b"" if self.stopped else raw

    def pass_unread(self, raw: bytes, kind: Kind) -> bytes:
        """An event that nothing is looked for in: told as not scanned, and dropped where a guard says `closed`."""
        return b"" if self.unscanned(kind, "") else raw

    def begin(self, raw: bytes, index: int, block: bytes) -> bytes:
        self.context = self.window = self.given = b""
        self.gone = 0
        self.noted = None
        said = said_of(block)
        begun = begun_with_text(index, said)
        if begun is not None:
            raw, first, text = begun
            return raw + self.hear(first, "text", index, text)
        if not str(said.get("type", "")).endswith("tool_use"):
            return raw
        self.parked, self.tool = [raw], str(said.get("name", ""))
        if said.get("input"):
            self.given = json.dumps(said["input"]).encode()
        return b""

    def release(self, *, final: bool) -> bytes:
        """The delta with what of the window may go on now."""
        if not self.window:
            return b""
        text = self.context + self.window
        skip = len(self.context)
        seen = self.look("answer_text", text, self.gone - skip, skip)
        limit = len(text) if final else max(len(text) - self.hold, skip)
        if seen.stop is not None:
            limit = max(seen.stop[0], skip)
        for start, end, _ in seen.places:
            if not final and end == len(text) and end - start < GROWING_BYTES_MAX:
                limit = min(limit, max(start, skip))
            elif start < limit < end:
                limit = end
        while skip < limit < len(text) and text[limit] & 0xC0 == 0x80:
            limit -= 1
        passed = edited(text, seen.places, skip, limit)
        self.context = text[:limit][-CONTEXT_BYTES:]
        self.window = text[limit:]
        self.gone += limit - skip
        if seen.stop is not None:
            self.stopped = True
            self.window = b""
            passed += f"\n\n{notice(seen.stop[1])}".encode()
            return with_text(self.template, passed) + stop_event(self.template)
        return with_text(self.template, passed) if passed else b""

    def judge_input(self, raw: bytes, index: int) -> bytes:
        """The end of a tool's input: all of it goes on, some of it replaced, or a text in its place."""
        parked, self.parked = self.parked or [], None
        verdict = self.input_verdict(self.given, self.tool)
        if verdict is None:
            return b"".join(parked) + raw
        rule, changed = verdict
        if changed is None:
            self.stopped = True
            return text_block(index, notice(rule))
        start = re.sub(rb'"input"\s*:\s*\{.*\}(?=\}\})', b'"input":{}', parked[0], count=1, flags=re.DOTALL)
        return start + delta_event(index, "input_json_delta", "partial_json", changed) + raw

    def input_verdict(self, given: bytes, tool: str) -> tuple[str, bytes | None] | None:
        """None: it may go on. Else the rule, and the input without what it found; None where it must not go on."""
        body, block = framed(given)
        if block is None:
            seen = self.look("answer_tool_input", given, 0, 0, tool)
            rule = seen.stop[1] if seen.stop is not None else next((name for *_, name in seen.places), "")
            return (rule, None) if rule else None
        seen = self.look("answer_tool_input", block.text, 0, 0, tool)
        if seen.stop is not None:
            return seen.stop[1], None
        if not seen.places:
            return None
        edits = edits_of(block, seen)
        return seen.places[0][2], replace(body, edits)[block.start : -INPUT_FRAME_END]

    # -- a message --------------------------------------------------------------------------------------------------

    def whole(self, body: bytes) -> bytes:
        out = self.judge_whole(body)
        return out if self.restorer is None else self.restorer.whole(out)

    def judge_whole(self, body: bytes) -> bytes:
        prefilter = self.guards.engine.answer_prefilter
        if prefilter is not None and holds_nothing(body, prefilter):
            return body
        try:
            blocks = read_answer(body).noted
        except ValueError:
            return self.judge_unread(body)
        edits = []
        for block in blocks:
            kind: Kind = "answer_tool_input" if block.kind == TOOL_USE_INPUT else "answer_text"
            self.noted = None
            seen = self.look(kind, block.text, 0, 0, block.tool)
            if seen.stop is not None:
                return stopped_message(body, seen.stop[1])
            if seen.places:
                edits += edits_of(block, seen)
        return replace(body, sorted(edits)) if edits else body  # a citation may stand before the text

    def judge_unread(self, body: bytes) -> bytes:
        """A body that is no message: told as not scanned. What the rules find in it as it is stops it, for no place of
        it can be changed."""
        closed = self.actions.closed
        self.note(self.noting, (closed[0] if closed else "", "not_scanned", "answer_text", "", "", NO_MESSAGE))
        self.noted = None
        seen = self.look("answer_text", body, 0, 0)
        rules = [*closed, *([seen.stop[1]] if seen.stop is not None else []), *(rule for *_, rule in seen.places)]
        return stopped_message(body, rules[0]) if rules else body

    # -- looking ----------------------------------------------------------------------------------------------------

    def look(self, kind: Kind, text: bytes, base: int, past: int, tool: str = "") -> Seen:
        """What the rules of that kind make of the text from `past` on; `base`: where the text begins in its block."""
        found = self.guards.examine(kind, "assistant", text, tool, self.tools)
        if not found:
            return NOTHING
        places: list[tuple[int, int, str]] = []
        stop: tuple[int, str] | None = None
        for index, start, end in found:
            if index == UNSCANNED:
                closed = self.unscanned(kind, tool)
                stop = stop or ((start, closed) if closed else None)
                continue
            act = self.actions.acts.get((index, KINDS.index(kind)))
            if act is None or end <= past:
                continue
            rule = self.guards.rules[index]
            match_hash = self.guards.placeholders.tail(self.who.org, text[start:end])[:HASH_CHARS]
            exception = self.guards.policy.exception(rule, match_hash, self.who, wall_ns())
            action = act.action if exception is None else "log"
            if self.is_new(index, base + start):
                self.note(self.noting, (rule.id, action, kind, tool, match_hash, note_of(act, exception)))
            if action == "redact":
                places.append((start, end, rule.id))
            elif action == "block" and stop is None:
                stop = (start, rule.id)
        return Seen(places, stop)

    def unscanned(self, kind: Kind, tool: str) -> str:
        """Note, once a block, that some of it was not looked at: never a pass. The rule that so lets nothing go on,
        else empty."""
        closed = self.actions.closed[0] if self.actions.closed else ""
        if self.is_new(UNSCANNED, 0):
            self.note(self.noting, (closed, "not_scanned", kind, tool, "", NOT_ALL))
        return closed

    def is_new(self, index: int, place: int) -> bool:
        """Whether that rule's finding was not told of the block yet; from now on it was."""
        if self.noted is None:
            self.noted = set()
        elif (index, place) in self.noted:
            return False
        self.noted.add((index, place))
        return True


def note_of(act: Act, exception: object) -> str:
    owner = getattr(exception, "owner", None)
    if owner is not None:
        return f"exception:{owner}"
    return f"shadow:{act.shadow}" if act.shadow else ""


def notice(rule: str) -> str:
    return f"[The gateway stopped this answer: guard rule {rule}.]"


def ended(raw: bytes) -> bytes:
    """An event of no block, of an answer that was stopped: what says why it ended says that the turn did. Of any other
    but those that end an answer nothing goes on."""
    data = data_of(raw)
    if data and said_of(data).get("type") not in ENDING:
        return b""
    return _STOP_REASON.sub(b'"stop_reason":"end_turn"', raw, count=1)


def stopped_message(body: bytes, rule: str) -> bytes:
    """A whole answer that was stopped. Nothing is kept of a body that is no message."""
    try:
        message = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        usage = {"input_tokens": 0, "output_tokens": 0}
        message = {"id": "", "type": "message", "role": "assistant", "model": "", "stop_sequence": None, "usage": usage}
    message["content"] = [{"type": "text", "text": notice(rule)}]
    message["stop_reason"] = "end_turn"
    return json.dumps(message).encode()


def removed(rule: str) -> str:
    return f"[removed: {rule}]"


def edited(text: bytes, places: Sequence[tuple[int, int, str]], start: int, end: int) -> bytes:
    """text[start:end] with the places that lie before `end` replaced."""
    out, at = [], start
    for first, last in merged([(first, last) for first, last, _ in places]):
        if first >= end or last <= start:
            continue
        rule = next(rule for low, high, rule in places if low < last and high > first)
        out += [text[at : max(first, at)], removed(rule).encode()]
        at = last
    out.append(text[at:end])
    return b"".join(out)


def edits_of(block: Block, seen: Seen) -> list[tuple[int, int, bytes]]:
    edits = []
    for start, end in merged([(start, end) for start, end, _ in seen.places]):
        rule = next(rule for low, high, rule in seen.places if low < end and high > start)
        for low, high, quoted, _ in block.raw_places(start, end):
            put = removed(rule).encode()
            edits.append((low, high, put if quoted else b'"%b"' % put))
    return edits
