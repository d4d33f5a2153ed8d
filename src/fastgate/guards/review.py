"""Vendors' guards on the way of an answer: text in windows, tool input whole, each released once it is judged.

Owns what waits for a verdict, in what order it goes on, and what a verdict does to it. A window is judged with what
stands before and behind it, so that nothing hides where two meet. All questions of an answer are open at once; what
they are about leaves in the order in which it came. It comes before rules for answers and before secrets are put back,
which a vendor so never sees. Answers that no vendor is asked about never come here. Must not know calls or connections.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastgate._core.blocks import read_answer, replace
from fastgate._core.restore import events, with_text
from fastgate.clock import wall_ns
from fastgate.guards.answer import (
    NO_MESSAGE,
    NOT_ALL,
    Seen,
    edited,
    edits_of,
    ended,
    notice,
    stopped_message,
)
from fastgate.guards.outside import WHY_CHARS, Outsider, around_own, flags_of, only_own, sendable
from fastgate.guards.rule import KINDS, Kind
from fastgate.guards.told import (
    begun_with_text,
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
    from fastgate.guards.placeholders import Placeholders
    from fastgate.guards.screen import Verdict
    from fastgate.snapshot import KeyRow

log = logging.getLogger("fastgate.guards")

WINDOW_BYTES = 2_000
"""Of a text that are judged at once: some five hundred tokens, five to ten seconds of an answer at its usual pace, so
a vendor is asked seldom enough to keep up and a reader does not wait for the whole."""

AROUND_BYTES = 256
"""Of the text before and behind a window that are judged with it: longer than a name, an address or a key."""

HELD_BYTES_MAX = 4 * 1024 * 1024
"""Of one tool's input; eight times what the longest answer (128,000 tokens) has. More is told as not scanned."""


class Ruling(NamedTuple):
    """What is to be done with a text: places to take out, (start, end, rule) each, or the rule that stops it."""

    places: tuple[tuple[int, int, str], ...] = ()
    stop: str = ""


class _Item(NamedTuple):
    """Something of the stream in its turn. `block`: the index of its content block, -1 for none. `ruling` is awaited,
    then `settle` says what goes on; without one `raw` goes on."""

    raw: bytes
    block: int
    ruling: asyncio.Future[Ruling] | None = None
    settle: Callable[[Ruling], bytes] | None = None


class Review:
    """One answer. `note` gets each verdict; `guards` are those that look at answers of this caller."""

    def __init__(
        self, guards: Sequence[Outsider], placeholders: Placeholders, who: KeyRow, note: Callable[[Verdict], object]
    ) -> None:
        self.guards, self.placeholders, self.who, self.note = guards, placeholders, who, note
        self.kinds = frozenset().union(*(guard.kinds for guard in guards))
        self.push: Callable[[bytes], object] = _nowhere
        self.bytes_out = 0
        self._rest = b""
        self._queue: deque[_Item] = deque()
        self._stopped = False
        self._text = b""
        """Of the text block that is open, what a window may still need: from AROUND_BYTES before `_from` on."""
        self._from = 0
        self._deltas: list[tuple[bytes, int]] = []
        """Its deltas that are in no window yet, and where in `_text` each ends."""
        self._parked: list[bytes] | None = None
        self._given = b""
        self._tool = ""

    # -- a stream ---------------------------------------------------------------------------------------------------

    def feed(self, chunk: bytes) -> None:
        """More of the stream; what may go on goes to `push`, now or later."""
        found, self._rest = events(self._rest + chunk)
        for event in found:
            self._hear(*event)
        self._release()

    async def settled(self) -> None:
        """The stream is over: what is left of it was judged and went on. A tool's input without an end is dropped."""
        for event in last_events(self._rest):
            self._hear(*event)
        self._rest = b""
        self._parked = None
        self._close_window(final=True)
        self._release()
        while self._queue:
            ruling = self._queue[0].ruling
            assert ruling is not None
            await asyncio.wait([ruling])
            self._release()

    def close(self) -> None:
        """Nobody waits for it any more. The server ends a stream when nobody holds the way to the client."""
        self.push = _nowhere
        for item in self._queue:
            if item.ruling is not None:
                item.ruling.cancel()
        self._queue.clear()

    def _hear(self, raw: bytes, what: str, index: int, text: bytes) -> None:
        if what == "ping":  # what shows that the answer is under way waits for no verdict
            self._release()
            self._push(raw)
            return
        raw, what, index, text = told_at_once(raw, what, index, text)
        if what == "text" and "answer_text" in self.kinds:
            self._text += text
            self._deltas.append((raw, len(self._text)))
            if len(self._text) - self._from >= WINDOW_BYTES + AROUND_BYTES:
                self._close_window(final=False)
            return
        if what == "json" and self._parked is not None:
            self._parked.append(raw)
            self._given += text
            if len(self._given) > HELD_BYTES_MAX:
                self._give_up(index)
            return
        if what == "start":
            said = said_of(text)
            if "answer_tool_input" in self.kinds and self._park(raw, said):
                return
            begun = begun_with_text(index, said) if "answer_text" in self.kinds else None
            if begun is not None:
                raw, first, begins = begun
                self._queue.append(_Item(raw, index))
                self._hear(first, "text", index, begins)
                return
        if what == "json" and "answer_tool_input" in self.kinds:
            self._pass_unread(raw, index, "answer_tool_input")
            return
        if is_unreadable(raw, what, index):
            self._pass_unread(raw, index, "answer_text")
            return
        if what == "stop":
            if self._parked is not None:
                self._close_input(raw, index)
                return
            self._close_window(final=True)
            self._text, self._from = b"", 0
        self._queue.append(_Item(raw, index))

    def _park(self, raw: bytes, said: dict[str, Any]) -> bool:
        """Begin to keep a tool's input; whether the block is one."""
        if not str(said.get("type", "")).endswith("tool_use"):
            return False
        self._parked, self._tool, self._given = [raw], str(said.get("name", "")), b""
        if said.get("input"):
            self._given = json.dumps(said["input"]).encode()
        return True

    def _close_window(self, *, final: bool) -> None:
        """Ask about the deltas that have enough behind them, or about all of them."""
        behind = len(self._text) - (0 if final else AROUND_BYTES)
        count = sum(end <= behind for _, end in self._deltas)
        if not count:
            return
        raws = [raw for raw, _ in self._deltas[:count]]
        start, end = self._from, self._deltas[count - 1][1]
        text, first = self._text, max(start - AROUND_BYTES, 0)

        def settle(ruling: Ruling) -> bytes:
            if not ruling.places and not ruling.stop:
                return b"".join(raws)
            if ruling.stop:
                apart = "\n\n" if start else ""
                return with_text(raws[0], f"{apart}{notice(ruling.stop)}".encode()) + stop_event(raws[0])
            return with_text(raws[0], edited(text, list(ruling.places), start, end))

        asked = self._judge("answer_text", text[first : end + AROUND_BYTES], first)
        self._queue.append(_Item(b"", events(raws[0])[0][0][2], self._task(asked), settle))
        cut = max(end - AROUND_BYTES, 0)
        self._text, self._from = text[cut:], end - cut
        self._deltas = [(raw, at - cut) for raw, at in self._deltas[count:]]

    def _close_input(self, raw: bytes, index: int) -> None:
        """Ask about a tool's whole input."""
        parked, given = self._parked or [], self._given
        self._parked, self._given = None, b""
        body, block = framed(given)

        def settle(ruling: Ruling) -> bytes:
            if ruling.stop or (ruling.places and block is None):
                return text_block(index, notice(ruling.stop or ruling.places[0][2]))
            if not ruling.places or block is None:
                return b"".join(parked) + raw
            changed = replace(body, edits_of(block, Seen(list(ruling.places), None)))
            start = re.sub(rb'"input"\s*:\s*\{.*\}(?=\}\})', b'"input":{}', parked[0], count=1, flags=re.DOTALL)
            put = changed[block.start : -INPUT_FRAME_END]
            return start + delta_event(index, "input_json_delta", "partial_json", put) + raw

        asked = self._judge("answer_tool_input", given if block is None else block.text, 0, self._tool)
        self._queue.append(_Item(b"", index, self._task(asked), settle))

    def _give_up(self, index: int) -> None:
        """A tool's input that is too long to be kept: as something that was not judged."""
        parked, self._parked, self._given = self._parked or [], None, b""
        why = f"a tool's input has more than {HELD_BYTES_MAX} bytes"
        guards = [guard for guard in self.guards if "answer_tool_input" in guard.kinds]
        stop = self._unjudged_all(guards, "answer_tool_input", self._tool, why)
        if not stop:
            self._queue.append(_Item(b"".join(parked), index))
            return
        ruling: asyncio.Future[Ruling] = asyncio.get_running_loop().create_future()
        ruling.set_result(Ruling(stop=stop))
        self._queue.append(_Item(b"", index, ruling, lambda ruled: text_block(index, notice(ruled.stop))))

    def _pass_unread(self, raw: bytes, index: int, kind: Kind) -> None:
        """An event that nobody can be asked about: told, and dropped where a guard fails closed."""
        guards = [guard for guard in self.guards if kind in guard.kinds]
        if not self._unjudged_all(guards, kind, "", NOT_ALL):
            self._queue.append(_Item(raw, index))

    def _task(self, asked: Coroutine[Any, Any, Ruling]) -> asyncio.Task[Ruling]:
        task = asyncio.get_running_loop().create_task(asked)
        task.add_done_callback(lambda _: self._release())
        return task

    def _release(self) -> None:
        """Pass on what is at the head of the queue and judged."""
        out = []
        while self._queue:
            item = self._queue[0]
            if item.ruling is not None and not item.ruling.done():
                break
            if item.ruling is None or not item.ruling.cancelled():
                out.append(self._passed(item))
            self._queue.popleft()
        said = b"".join(out)
        if said:
            self._push(said)

    def _push(self, said: bytes) -> None:
        told = self.push(said)
        self.bytes_out += told if isinstance(told, int) else len(said)

    def _passed(self, item: _Item) -> bytes:
        if self._stopped:
            return b"" if item.block >= 0 else ended(item.raw)
        if item.ruling is None or item.settle is None:
            return item.raw
        ruling = item.ruling.result()
        self._stopped = bool(ruling.stop)
        return item.settle(ruling)

    # -- a message --------------------------------------------------------------------------------------------------

    async def whole(self, body: bytes) -> bytes:
        """The same for an answer that is one JSON message."""
        try:
            blocks = read_answer(body).noted
        except ValueError:
            stop = self._unjudged_all(self.guards, "answer_text", "", NO_MESSAGE)
            return stopped_message(body, stop) if stop else body
        asked = []
        for block in blocks:
            kind: Kind = "answer_tool_input" if KINDS[block.kind] == "tool_use_input" else "answer_text"
            asked.append(self._judge(kind, block.text, 0, block.tool))
        edits = []
        for block, ruling in zip(blocks, await asyncio.gather(*asked), strict=True):
            if ruling.stop:
                return stopped_message(body, ruling.stop)
            edits += edits_of(block, Seen(list(ruling.places), None))
        return replace(body, sorted(edits)) if edits else body

    # -- judging ----------------------------------------------------------------------------------------------------

    async def _judge(self, kind: Kind, raw: bytes, base: int, tool: str = "") -> Ruling:
        """What the guards say of a text; `base`: where it begins in its block."""
        while raw and raw[0] & 0xC0 == 0x80:  # half a character in front
            raw, base = raw[1:], base + 1
        guards = [guard for guard in self.guards if kind in guard.kinds]
        text = raw.decode("utf-8", "surrogateescape")
        if not guards or not text.strip():
            return Ruling()
        try:
            return await self._ruling(guards, kind, raw, text, base, tool)
        except Exception:
            log.exception("a guard failed")
            return Ruling(stop=self._unjudged_all(guards, kind, tool, "the guard failed"))

    async def _ruling(
        self, guards: Sequence[Outsider], kind: Kind, raw: bytes, text: str, base: int, tool: str
    ) -> Ruling:
        """What those guards say of it. Raises what an adapter raises."""
        said = await asyncio.gather(*(guard.adapter.screen_all([sendable(text)], "answer") for guard in guards))
        places: list[tuple[int, int, str]] = []
        stop = ""
        for guard, (verdict,) in zip(guards, said, strict=True):
            for label, start, end, whole in flags_of(verdict, text):
                if only_own(raw[start:end]):
                    continue
                name, action, match_hash, remark = guard.decide(
                    self.placeholders, self.who, wall_ns(), label, raw[start:end], whole=whole
                )
                self.note((name, action, kind, tool, match_hash, remark))
                if action == "redact":
                    places += [(base + low, base + high, name) for low, high in around_own(raw, start, end)]
                elif action == "block":
                    stop = stop or name
            if verdict.why:
                stop = stop or self._unjudged(guard, kind, tool, verdict.why)
        return Ruling(tuple(sorted(places)), stop)

    def _unjudged_all(self, guards: Sequence[Outsider], kind: Kind, tool: str, why: str) -> str:
        """None of the guards gave a verdict; the first rule that stops the answer for it, else empty."""
        stops = [self._unjudged(guard, kind, tool, why) for guard in guards]
        return next(filter(None, stops), "")

    def _unjudged(self, guard: Outsider, kind: Kind, tool: str, why: str) -> str:
        """A guard gave no verdict: never a pass. The rule that stops the answer where it fails closed, else empty."""
        self.note((guard.row.use, "not_scanned", kind, tool, "", why[:WHY_CHARS]))
        return guard.row.use if guard.row.fail == "closed" and not guard.row.shadow else ""


def _nowhere(said: bytes) -> int:
    raise RuntimeError("the answer's way is not laid yet")
