"""Vendors' guards on the way of a request: every block that is new to a guard is put to it, all guards at once (what
they say of answers: review.py).

They get what the built-in guards let through, so a secret that was hidden is hidden from them too. Owns what a vendor's
verdict does to the body. Must not know how a vendor is asked (adapters/) nor calls and HTTP (gateway/rooms/guard.py).
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from fastgate._core.blocks import read_blocks, replace
from fastgate._core.memo import Memo
from fastgate.guards.adapters import verdict as vendors
from fastgate.guards.adapters.client import Client
from fastgate.guards.adapters.vendors import adapter_of
from fastgate.guards.beside import beside
from fastgate.guards.media import Medium, media_of
from fastgate.guards.placeholders import HASH_CHARS, OWN, Placeholders, merged, pieces
from fastgate.guards.policy import exception_in, in_scope
from fastgate.guards.rewriting import changes
from fastgate.guards.rule import ANSWER, KINDS, Kind
from fastgate.guards.screen import MEMO_KEY_BYTES, VERDICTS_MAX, Refusal, Screened, Verdict

if TYPE_CHECKING:
    from fastgate._core.block import Block
    from fastgate.guards.adapters.adapter import Adapter
    from fastgate.guards.adapters.prompt_guard import PromptGuard
    from fastgate.guards.review import Review
    from fastgate.snapshot import GuardRow, KeyRow

LOOKED_AT: frozenset[Kind] = frozenset({"user_text", "tool_result", "document"})
"""Where a guard does not say `on`: what comes from outside. System prompt and tool definitions are Claude Code's own,
60 KB of them, and what the assistant said was somebody's answer before."""

MEMO_SLOTS = 1 << 15
"""Judged blocks that a guard remembers: 1 MiB a worker, the blocks of a hundred long conversations."""

MEDIA_SEED = 255
"""Tells an image from a text of the same bytes."""

LABEL_CHARS = 60
WHY_CHARS = 200
"""Of what a vendor calls a finding, and of why it gave no verdict, so much is recorded."""

_LABEL = re.compile(r"[^A-Za-z0-9_.:/-]+")
_ALONE = re.compile("[\ud800-\udfff]")


class Flag(NamedTuple):
    """What a vendor said of a block, as the memo keeps it: a place in its text, in bytes; all of it where it named
    none, and then `whole`."""

    label: str
    start: int
    end: int
    whole: bool


class Said(NamedTuple):
    """One guard's verdicts on one request."""

    flags: list[tuple[Block, tuple[Flag, ...]]]
    unscanned: list[tuple[str, str, str]]
    """Kind, path and why."""
    media: Mapping[str, vendors.Verdict]
    """By the path of an image or a document."""


class Outsider:
    """One row: a vendor, and what it has judged already."""

    def __init__(self, row: GuardRow, adapter: Adapter | PromptGuard) -> None:
        self.row = row
        self.adapter = adapter
        self.kinds = frozenset(row.on) or LOOKED_AT
        self.memo = Memo.of(secrets.token_bytes(MEMO_KEY_BYTES), slots=MEMO_SLOTS)

    def takes(self, medium: Medium) -> bool:
        vendor = getattr(self.adapter, "vendor", None)
        return medium.type in getattr(vendor, "media", ())

    async def judge(self, body: bytes, media: Sequence[Medium]) -> Said:
        """Ask about what is new of the body's text and about those images and documents."""
        flags, fresh, texts = await beside(len(body), lambda: self.read(body))
        asked = self.adapter.screen_all([sendable(text) for text in texts])
        verdicts, seen = await asyncio.gather(asked, self.judge_media(media))
        flagged = await beside(
            len(body), lambda: [flags_of(said, text) for said, text in zip(verdicts, texts, strict=True)]
        )
        unscanned = []
        for block, verdict, found in zip(fresh, verdicts, flagged, strict=True):
            if verdict.why:
                unscanned.append((KINDS[block.kind], block.path, verdict.why))
            else:
                self.memo.note(block.mark, found)
            if found:
                flags.append((block, found))
        return Said(flags, list(unscanned), seen)

    def read(self, body: bytes) -> tuple[list[tuple[Block, tuple[Flag, ...]]], list[Block], list[str]]:
        """What is known of the body's text, the blocks that are new, and the text of each."""
        flags: list[tuple[Block, tuple[Flag, ...]]] = []
        fresh: list[Block] = []
        for block in read_blocks(body, self.memo).noted:
            if KINDS[block.kind] not in self.kinds or not block.text.strip():
                self.memo.note(block.mark, ())
            elif block.found is not None:
                flags.append((block, block.found))
            else:
                fresh.append(block)
        return flags, fresh, [block.text.decode("utf-8", "surrogateescape") for block in fresh]

    def decide(
        self, placeholders: Placeholders, who: KeyRow, now_ns: int, label: str, match: bytes, *, whole: bool
    ) -> tuple[str, str, str, str]:
        """What a finding means: its name, the action, the match's keyed hash, and a note as in Verdict. `whole`: the
        vendor names no place."""
        row = self.row
        name = f"{row.use}/{_LABEL.sub('-', label)[:LABEL_CHARS].strip('-') or 'flagged'}"
        match_hash = placeholders.tail(who.org, match)[:HASH_CHARS]
        action, note = row.action, ""
        if action == "redact" and whole:
            action = "block"  # the vendor does not say what is meant: hiding nothing would let it leave
        if row.shadow:
            action, note = "log", f"shadow:{action}"
        exception = exception_in(row, (row.use, name), match_hash, who, now_ns)
        if exception is not None:
            action, note = "log", f"exception:{exception.owner}"
        return name, action, match_hash, note

    async def judge_media(self, media: Sequence[Medium]) -> dict[str, vendors.Verdict]:
        """What is said of each; one that was judged before is known."""
        seen: dict[str, vendors.Verdict] = {}
        fresh = []
        size = sum(len(medium.data) for medium in media)
        marks = await beside(size, lambda: [self.memo.mark_of(medium.data.encode(), MEDIA_SEED) for medium in media])
        for medium, mark in zip(media, marks, strict=True):
            known = self.memo.get(mark)
            if known is None:
                fresh.append((medium, mark))
            else:
                seen[medium.path] = vendors.flagged(*(flag.label for flag in known)) if known else vendors.PASS
        if not fresh:
            return seen
        adapter = cast("Adapter", self.adapter)  # `takes` is what lets an image come here
        said = await adapter.screen_media([(medium.type, medium.data) for medium, _ in fresh])
        for (medium, mark), verdict in zip(fresh, said, strict=True):
            seen[medium.path] = verdict
            if not verdict.why:
                self.memo.note(mark, tuple(Flag(label, 0, 0, True) for label in verdict.categories))
        return seen


class Outside:
    """The vendors' guards of one snapshot."""

    def __init__(
        self,
        rows: Iterable[GuardRow],
        environ: Mapping[str, str],
        placeholders: Placeholders,
        before: Outside | None = None,
    ) -> None:
        """`before`: those of the snapshot that this one replaces. A guard that is told the same stays, with what it
        has judged; a RuleError of this one leaves them as they are."""
        self.placeholders = placeholders
        self.client: Client = before.client if before is not None else Client()
        known = [] if before is None else list(before.guards)
        self.guards: list[Outsider] = []
        for row in rows:
            same = next((guard for guard in known if guard.row == row), None)
            if same is not None:
                known.remove(same)
            self.guards.append(same or Outsider(row, adapter_of(row, environ, self.client)))

    async def screen(self, screened: Screened, who: KeyRow, now_ns: int, closed: tuple[str, ...]) -> Screened:
        """Put to the vendors what the built-in guards left of a request. `closed`: those of ours that let nothing pass
        that was not scanned."""
        asked = [guard for guard in self.guards if guard.row.scope is None or in_scope(guard.row.scope, who)]
        if screened.refusal is not None or (not asked and not screened.media):
            return screened
        size = len(screened.body)
        media = await beside(size, lambda: media_of(screened.body)) if screened.media else []
        said = await asyncio.gather(
            *(guard.judge(screened.body, [each for each in media if guard.takes(each)]) for guard in asked)
        )
        heard = list(zip(asked, said, strict=True))
        return await beside(size, lambda: self.outcome(screened, who, now_ns, media, closed, heard))

    def review(self, who: KeyRow, note: Callable[[Verdict], object]) -> Review | None:
        """What asks the vendors about the answer to this caller; None where none of them looks at it."""
        asked = [
            guard
            for guard in self.guards
            if guard.kinds & ANSWER and (guard.row.scope is None or in_scope(guard.row.scope, who))
        ]
        if not asked:
            return None
        from fastgate.guards.review import Review

        return Review(asked, self.placeholders, who, note)

    def outcome(
        self,
        screened: Screened,
        who: KeyRow,
        now_ns: int,
        media: Sequence[Medium],
        closed: tuple[str, ...],
        heard: Sequence[tuple[Outsider, Said]],
    ) -> Screened:
        """What becomes of the request by what each guard said."""
        outcome = _Outcome(self.placeholders, screened, who, now_ns)
        for guard, said in heard:
            outcome.take(guard, said)
        outcome.take_media(media, heard, closed)
        return outcome.done()


class _Outcome:
    """What becomes of one request."""

    def __init__(self, placeholders: Placeholders, screened: Screened, who: KeyRow, now_ns: int) -> None:
        self.placeholders, self.screened, self.who, self.now_ns = placeholders, screened, who, now_ns
        self.verdicts: list[Verdict] = list(screened.verdicts)
        self.refusal: Refusal | None = None
        self.unscanned = screened.state == "not-scanned"
        self.hidden: dict[int, tuple[Block, list[tuple[int, int]]]] = {}

    def take(self, guard: Outsider, said: Said) -> None:
        for block, flags in said.flags:
            text = block.text
            for flag in flags:
                match = text[flag.start : flag.end]
                if only_own(match):
                    continue
                action = self.decide(guard, flag.label, KINDS[block.kind], block.path, match, whole=flag.whole)
                if action == "redact":
                    self.hidden.setdefault(block.start, (block, []))[1].append((flag.start, flag.end))
        grouped: dict[tuple[str, str], list[str]] = {}
        for kind, path, why in said.unscanned:
            grouped.setdefault((kind, why), []).append(path)
        for (kind, why), paths in grouped.items():
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            self.unjudged(guard, kind, paths[0] + more, why)

    def take_media(
        self, media: Sequence[Medium], heard: Sequence[tuple[Outsider, Said]], closed: tuple[str, ...]
    ) -> None:
        """Images and documents: judged by those that take them; not scanned where nobody does."""
        alone = 0
        for medium in media:
            judged = [(guard, said.media[medium.path]) for guard, said in heard if medium.path in said.media]
            alone += not judged
            for guard, verdict in judged:
                if verdict.why:
                    self.unjudged(guard, "media", medium.path, verdict.why)
                for label in verdict.categories:
                    self.decide(guard, label, "media", medium.path, medium.data.encode(), whole=True)
        if alone:
            shut = (
                *closed,
                *(guard.row.use for guard, _ in heard if guard.row.fail == "closed" and not guard.row.shadow),
            )
            self.unscanned = True
            where = f"{alone} images or documents"
            self.note((shut[0] if shut else "", "not_scanned", "media", where, "", ""))
            if shut and self.refusal is None:
                self.refusal = Refusal(shut[0], "something that cannot be scanned", "media", where)

    def decide(self, guard: Outsider, label: str, kind: str, path: str, match: bytes, *, whole: bool) -> str:
        """The action at a finding, noted."""
        name, action, match_hash, note = guard.decide(
            self.placeholders, self.who, self.now_ns, label, match, whole=whole
        )
        if action == "block" and self.refusal is None:
            self.refusal = Refusal(name, f"something that {guard.row.use} objects to", kind, path)
        self.note((name, action, kind, path, match_hash, note))
        return action

    def unjudged(self, guard: Outsider, kind: str, path: str, why: str) -> None:
        """A guard gave no verdict: never a pass, and a refusal where it fails closed."""
        self.unscanned = True
        why = why[:WHY_CHARS]
        self.note((guard.row.use, "not_scanned", kind, path, "", why))
        if guard.row.fail == "closed" and not guard.row.shadow and self.refusal is None:
            self.refusal = Refusal(guard.row.use, "", kind, path, why)

    def note(self, verdict: Verdict) -> None:
        if len(self.verdicts) < VERDICTS_MAX:
            self.verdicts.append(verdict)

    def done(self) -> Screened:
        before = self.screened
        verdicts = tuple(self.verdicts)
        if self.refusal is not None:
            return before._replace(state="blocked", verdicts=verdicts, refusal=self.refusal)
        edits, hidden = self.edits()
        if edits:
            body, known = replace(before.body, edits), {**before.secrets, **hidden}
            return before._replace(body=body, state="redacted", verdicts=verdicts, secrets=known)
        state = "not-scanned" if self.unscanned and before.state == "pass" else before.state
        return before._replace(state=state, verdicts=verdicts)

    def edits(self) -> tuple[list[tuple[int, int, bytes]], dict[bytes, bytes]]:
        """What of the body is replaced, and what each placeholder stands for."""
        edits: list[tuple[int, int, bytes]] = []
        hidden: dict[bytes, bytes] = {}
        for block, places in self.hidden.values():
            for start, end in merged(places):
                for low, high in around_own(block.text, start, end):
                    for first, last in pieces(block.text, low, high):
                        for raw_start, raw_end, quoted, secret in block.raw_places(first, last):
                            placeholder = self.placeholders.of(self.who.org, secret)
                            hidden[placeholder] = secret
                            edits.append((raw_start, raw_end, placeholder if quoted else b'"%b"' % placeholder))
        edits.sort()
        return edits, hidden


def sendable(text: str) -> str:
    """The text without halves of characters, which no vendor could be sent."""
    return _ALONE.sub("\ufffd", text)


def only_own(text: bytes) -> bool:
    """Whether there is nothing in the text but what a guard has hidden already."""
    return not OWN.sub(b"", text).strip()


def around_own(text: bytes, start: int, end: int) -> Iterable[tuple[int, int]]:
    """text[start:end] without the placeholders in it: they stand for what only this gateway can put back."""
    for own in OWN.finditer(text, start, end):
        if own.start() > start:
            yield start, own.start()
        start = own.end()
    if start < end:
        yield start, end


def flags_of(verdict: vendors.Verdict, text: str) -> tuple[Flag, ...]:
    """A vendor's verdict with places in bytes: those it named or where its text differs, and all of the block for each
    category that has none."""
    if verdict.outcome != "flag":
        return ()
    spans = [(span.label, span.start, span.end) for span in verdict.spans]
    unplaced = verdict.unplaced
    if not spans and not unplaced and verdict.text is not None:
        label = verdict.categories[0] if verdict.categories else ""
        spans = [(label, start, end) for start, end in changes(text, verdict.text)]
    if not spans:
        unplaced = unplaced or verdict.categories or ("flagged",)
    places = byte_places(text, sorted({at for _, start, end in spans for at in (start, end)} | {len(text)}))
    return (
        *(Flag(each, places[start], places[end], whole=False) for each, start, end in sorted(set(spans))),
        *(Flag(each, 0, places[len(text)], whole=True) for each in unplaced),
    )


def byte_places(text: str, places: Sequence[int]) -> dict[int, int]:
    """Of places in characters, in order, the place in UTF-8."""
    out, at, size = {}, 0, 0
    for place in places:
        size += len(text[at:place].encode("utf-8", "surrogateescape"))
        out[place] = size
        at = place
    return out
