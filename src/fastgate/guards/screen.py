"""Screening: one request body in, the body that may leave and what was found out.

Owns the way from blocks over findings to redactions. Must not know calls, HTTP or the journal (gateway/judging.py).
Compiled with types (screen.pxd).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fastgate._core.blocks import Blocks, read_blocks, replace
from fastgate._core.memo import Memo
from fastgate.guards.answer import Watch
from fastgate.guards.closer import EFFORT_NS, UNSCANNED, Effort, Finding
from fastgate.guards.engine import Engine
from fastgate.guards.placeholders import HASH_CHARS, OWN, PREFIX, Placeholders, merged, pieces
from fastgate.guards.policy import Actions, Policy
from fastgate.guards.rows import split
from fastgate.guards.rule import ANSWER, KINDS, Kind, Rule, RuleError, Scanner, load_scanners
from fastgate.guards.sightings import SIGHTINGS_MAX, Sighting, key_of, sighting

if TYPE_CHECKING:
    from fastgate._core.block import Block
    from fastgate.call import Tap
    from fastgate.guards.outside import Outside
    from fastgate.snapshot import GuardRow, KeyRow

log = logging.getLogger("fastgate.guards")

MATCH_BYTES_MAX = 4096
"""Of a match so much is kept, and hashed: longer than any key but those of many lines."""

SEED_MASK = (1 << 52) - 1
"""Bits of whose blocks they are. Each user's are judged once more, so that each one's sightings are recorded."""

MEMO_KEY_BYTES = 1072
"""What fastgate._core.memo asks for."""

VERDICTS_MAX = 64
"""Verdicts that a call's record names; the header still says what became of all."""

NO_SECRETS: dict[bytes, bytes] = {}

RawPlace = tuple[int, int, bool, bytes]
"""Bytes of the body, from and to, whether they lie between quotes, and their text."""

Verdict = tuple[str, str, str, str, str, str]
"""What became of one finding: rule, action (block, redact, log, not_scanned), kind of block, its place, keyed hash of
the match, and a note: `shadow:ACTION`, `exception:OWNER`, or empty."""


class Known(NamedTuple):
    """A finding as the memo keeps it: with what was found, so that a block need not be decoded to be told of again."""

    rule: int
    start: int
    end: int
    match: bytes


class Refusal(NamedTuple):
    """Why a request must not leave."""

    rule: str
    title: str
    kind: str
    path: str
    why: str = ""
    """Of a guard that gave no verdict and lets nothing pass without one: what went wrong."""


class Screened(NamedTuple):
    """What screening found out of one request. `secrets`: what each placeholder in `body` stands for."""

    body: bytes
    state: str
    """pass | redacted | blocked | not-scanned"""
    verdicts: tuple[Verdict, ...] = ()
    secrets: dict[bytes, bytes] = NO_SECRETS
    refusal: Refusal | None = None
    media: int = 0
    """Images and documents that no text rule can read and that vendors' guards may take."""
    sightings: tuple[Sighting, ...] = ()
    """New blocks of this caller, as an auditor may ask for them."""


class Caller:
    """What the guards mean for one key: its actions, and as whose its blocks are known."""

    who: KeyRow
    actions: Actions
    seed: int

    def __init__(self, who: KeyRow, actions: Actions, seed: int) -> None:
        self.who, self.actions, self.seed = who, actions, seed


class Guards:
    """The guards of one snapshot: rules, policy, engine and the memo of judged blocks."""

    policy: Policy
    _callers: dict[bytes, Caller]
    placeholders: Placeholders
    sighting_key: bytes
    engine: Engine
    memo: Memo
    declared: bool
    """Some rule wants to know all tools that a request declares."""
    watches: bool
    """Some rule looks at answers."""
    outside: Outside | None
    """Vendors' guards, which are asked after these; None where there are none."""

    def __init__(
        self,
        rows: Iterable[GuardRow],
        pepper: bytes,
        cache_dir: Path | None = None,
        *,
        scanners: Mapping[str, Scanner] | None = None,
        before: Guards | None = None,
    ) -> None:
        """`before`: the guards of the snapshot that this one replaces; what it knows of the same rules is kept."""
        self._callers = {}
        self.policy = Policy(rows, load_scanners() if scanners is None else scanners)
        self.placeholders = Placeholders(pepper)
        self.sighting_key = key_of(pepper)
        if before is not None and before.policy.rules == self.policy.rules:
            self.engine, self.memo = before.engine, before.memo
        else:
            self.engine = Engine(self.policy.rules, cache_dir)
            self.memo = Memo.of(secrets.token_bytes(MEMO_KEY_BYTES))
        self.declared = any(rule.declared for rule in self.policy.rules)
        self.watches = any(rule.kinds & ANSWER for rule in self.policy.rules)
        self.outside = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.engine.rules

    def unknown(self, body: bytes, who: KeyRow, tools: tuple[str, ...] = ()) -> Blocks | None:
        """What of a body that read_request has accepted is new for the caller, or had something found in it; None where
        all of it was judged before, and nothing found. `tools`: the names that it declares; where a rule compares them,
        what was judged beside other tools is judged again."""
        seed = self.caller(who).seed
        if tools and self.declared:
            seed = hash((seed, tools)) & SEED_MASK
        blocks = read_blocks(body, self.memo, seed, True)
        return blocks if blocks.noted or blocks.media else None

    def caller(self, who: KeyRow) -> Caller:
        """What the guards of this snapshot mean for a key."""
        known = self._callers.get(who.digest)
        if known is None or known.who is not who:
            seed = hash((who.org, who.user or who.key)) & SEED_MASK
            known = self._callers[who.digest] = Caller(who, self.policy.actions(who), seed)
        return known

    def screen(self, body: bytes, who: KeyRow, now_ns: int, tools: tuple[str, ...] = ()) -> Screened:
        """Judge such a body."""
        blocks = self.unknown(body, who, tools)
        return Screened(body, "pass") if blocks is None else self.judged(blocks, body, who, now_ns, tools)

    def judged(self, blocks: Blocks, body: bytes, who: KeyRow, now_ns: int, tools: tuple[str, ...] = ()) -> Screened:
        """Judge the blocks of a body that `unknown` gave."""
        screening = _Screening(self, body, who, self.caller(who).actions, now_ns)
        effort = Effort()
        for block in blocks.noted:
            if block.found is None and block.seam < 0:
                screening.see(blocks, block)
            found = self.judge(block, tools, effort)
            if found:
                screening.take(block, found)
        return screening.done(blocks)

    def watch(
        self,
        who: KeyRow,
        tools: tuple[str, ...],
        note: Callable[[Any, Verdict], object],
        noting: object,
        restorer: Tap | None,
    ) -> Tap | None:
        """What the answer to this caller passes: rules that look at it, where some do, and then `restorer`, which puts
        secrets back. `note` gets `noting` and each verdict."""
        if not self.watches:
            return restorer
        actions = self.caller(who).actions
        return Watch(self, who, actions, tools, note, noting, restorer) if actions.answers else restorer

    def judge(self, block: Block, tools: tuple[str, ...] = (), effort: Effort | None = None) -> tuple[Known, ...]:
        """What all rules find in a block, whoever asks: from the memo, or now. One for which what was left of a
        request's time did not do is judged again with the next; one that had all of it would get no further."""
        found = block.found
        if found is None:
            text = block.text
            effort = Effort() if effort is None else effort
            had_ns = effort.left_ns
            found = self.examine(KINDS[block.kind], block.role, text, block.tool, tools, block, effort)
            if found:
                found = tuple(
                    Known(
                        rule, start, end, b"" if rule == UNSCANNED else text[start : min(end, start + MATCH_BYTES_MAX)]
                    )
                    for rule, start, end in found
                )
            if effort.left_ns > 0 or had_ns >= EFFORT_NS:
                self.memo.note(block.mark, found)
        return tuple(found)

    def examine(
        self,
        kind: Kind,
        role: str,
        text: bytes,
        tool: str,
        tools: tuple[str, ...],
        block: Block | None = None,
        effort: Effort | None = None,
    ) -> tuple[Finding, ...]:
        """What all rules find in a text; UNSCANNED for all of it where one fails. `block`: that of a request."""
        try:
            return self.engine.examine(kind, role, text, tool, tools, -1 if block is None else block.seam, effort)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as exc:
            place = "an answer" if block is None else block.path
            log.error("a guard failed on %s (%s: %s); it counts as not scanned", place, type(exc).__name__, exc)
            return (Finding(UNSCANNED, 0, len(text)),)


class _Screening:
    """One request on its way."""

    def __init__(self, guards: Guards, body: bytes, who: KeyRow, actions: Actions, now_ns: int) -> None:
        self.guards = guards
        self.body = body
        self.who = who
        self.actions = actions
        self.now_ns = now_ns
        self.verdicts: list[Verdict] = []
        self.hidden: list[RawPlace] = []
        self.secrets: dict[bytes, bytes] = {}
        self.refusal: Refusal | None = None
        self.unscanned = False
        self.sightings: list[Sighting] = []

    def see(self, blocks: Blocks, block: Block) -> None:
        """Note a new block for those who ask later whether a model saw it."""
        if len(self.sightings) < SIGHTINGS_MAX:
            seen = sighting(self.guards.sighting_key, blocks, block)
            if seen is not None:
                self.sightings.append(seen)

    def take(self, block: Block, found: tuple[Known, ...]) -> None:
        """Decide on what was found in one block."""
        hidden: list[tuple[int, int]] = []
        for index, start, end, match in found:
            if index == UNSCANNED:
                self.note_unscanned(KINDS[block.kind], block.path)
                continue
            act = self.actions.acts.get((index, block.kind))
            if act is None:
                continue
            rule = self.guards.rules[index]
            if PREFIX in match and (not (rule.phrase or rule.worded) or OWN.fullmatch(match)):
                continue  # one of ours, that came back in the conversation; among many words it hides none
            match_hash = self.guards.placeholders.tail(self.who.org, match)[:HASH_CHARS]
            action, note = act.action, f"shadow:{act.shadow}" if act.shadow else ""
            exception = self.guards.policy.exception(rule, match_hash, self.who, self.now_ns)
            if exception is not None:
                action, note = "log", f"exception:{exception.owner}"
            if action == "redact":
                hidden.append((start, end))
            elif action == "block" and self.refusal is None:
                self.refusal = Refusal(rule.id, rule.title, KINDS[block.kind], block.path)
            self.note((rule.id, action, KINDS[block.kind], block.path, match_hash, note))
        if hidden:
            self.hide(block, hidden)

    def hide(self, block: Block, places: list[tuple[int, int]]) -> None:
        """Put placeholders in the body where the block's text has the places."""
        text = block.text
        for start, end in merged(places):
            for first, last in pieces(text, start, end):
                self.hidden += block.raw_places(first, last)

    def note(self, verdict: Verdict) -> None:
        if len(self.verdicts) < VERDICTS_MAX:
            self.verdicts.append(verdict)

    def note_unscanned(self, kind: Kind | str, path: str) -> None:
        """Something that no rule could read: never a pass, and a refusal where a rule says so."""
        self.unscanned = True
        closed = self.actions.closed
        self.note((closed[0] if closed else "", "not_scanned", kind, path, "", ""))
        if closed and self.refusal is None:
            self.refusal = Refusal(closed[0], "something that cannot be scanned", kind, path)

    def done(self, blocks: Blocks) -> Screened:
        left = blocks.media if self.guards.outside is not None else 0
        if blocks.media and not left:
            self.note_unscanned("media", f"{blocks.media} images or documents")
        verdicts, seen = tuple(self.verdicts), tuple(self.sightings)
        if self.refusal is not None:
            return Screened(self.body, "blocked", verdicts, refusal=self.refusal, sightings=seen)
        if not self.hidden:
            state = "not-scanned" if self.unscanned else "pass"
            return Screened(self.body, state, verdicts, media=left, sightings=seen)
        body = replace(self.body, self.edits(blocks))
        return Screened(body, "redacted", verdicts, self.secrets, media=left, sightings=seen)

    def edits(self, blocks: Blocks) -> list[tuple[int, int, bytes]]:
        """Placeholders for what is to be hidden, in the order of the body. Of a seam and of the blocks beside it places
        may overlap: then what both cover is one secret."""
        apart: list[RawPlace] = []
        for start, end, quoted, secret in sorted(self.hidden):
            if apart and start < apart[-1][1]:
                first, last = apart[-1][0], max(end, apart[-1][1])
                apart[-1] = (first, last, quoted, blocks.plain(first, last))
            else:
                apart.append((start, end, quoted, secret))
        edits = []
        for start, end, quoted, secret in apart:
            placeholder = self.guards.placeholders.of(self.who.org, secret)
            self.secrets[placeholder] = secret
            edits.append((start, end, placeholder if quoted else b'"%b"' % placeholder))
        return edits


def self_test(guards: Guards) -> list[str]:
    """Sends each rule's first sample through the engine in every kind of block that it is for; what did not fire."""
    missed = []
    for index, rule in enumerate(guards.rules):
        for kind in sorted(rule.kinds):
            role = next(iter(sorted(rule.roles)), "user")
            found = guards.engine.examine(kind, role, rule.samples[0].encode(), tool="Bash" if kind in ANSWER else "")
            if not any(finding.rule == index for finding in found):
                missed.append(f"rule {rule.id} does not find its own sample in a block of kind {kind}")
    return missed


def build(
    rows: Iterable[GuardRow],
    pepper: bytes,
    cache_dir: Path | None,
    before: Guards | None = None,
    *,
    environ: Mapping[str, str],
    test: bool = True,
) -> Guards | None:
    """The guards of a snapshot; None for no rows. RuleError where a rule cannot be used or, if `test`, does not fire:
    the control plane tests before it publishes and a worker when it starts, not again in the middle of its calls.
    Vendors are never asked here."""
    own, foreign = split(rows)
    if not own and not foreign:
        return None
    guards = Guards(own, pepper, cache_dir, before=before)
    if foreign:
        from fastgate.guards.outside import Outside

        guards.outside = Outside(foreign, environ, guards.placeholders, before.outside if before is not None else None)
    if test:
        missed = self_test(guards)
        if missed:
            raise RuleError("; ".join(missed))
    return guards
