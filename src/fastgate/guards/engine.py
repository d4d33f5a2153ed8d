"""The engine: all patterns over a block's text in one pass, then a closer look at what they point to.

Owns the compiled databases and the order pattern, exact, check. Knows rules (rule.py), not what a deployment does about
a finding (policy.py) nor where a block comes from. One engine serves one thread at a time; each scan of its own thread
takes its own scratch space.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hyperscan
import msgspec

from fastgate._core.peel import peel
from fastgate._core.prefilter import PREFILTERED_BYTES, Prefilter
from fastgate.guards import compiled, windows
from fastgate.guards.closer import ALL_OF_IT, UNSCANNED, Effort, Finding, Found, crosses, exact_of, look_at, look_closer
from fastgate.guards.rule import ANSWER, KINDS, Block, Kind, Rule, RuleError

CANDIDATES_MAX = 16_384
"""Places in one block that are looked at; a 730 KB source file has under a hundred. What lies behind is told as not
scanned."""

ALIKE: tuple[frozenset[Kind], ...] = (
    frozenset({"tool_result", "tool_schema", "document"}),
    frozenset({"user_text"}),
    frozenset({"system", "assistant_text", "tool_use_input"}),
    ANSWER,
)
"""Kinds that share a database. Patterns that none of a block's kind has cost its scan 15 to 75 %, and most of a
conversation is what tools returned; a database for every kind would take twice as long to compile, for 5 %."""


def _in_order(finding: Finding) -> tuple[int, int, int]:
    return finding.start, -finding.end, finding.rule


def flags_of(rule: Rule) -> int:
    """Hyperscan's flags. Without SINGLEMATCH: every match is a candidate."""
    flags = hyperscan.HS_FLAG_CASELESS if rule.caseless else 0
    flags |= hyperscan.HS_FLAG_DOTALL if rule.dotall else 0
    return flags | (hyperscan.HS_FLAG_MULTILINE if rule.lines else 0)


class Database:
    """The patterns of some rules, compiled; kept on disk, as compiling takes a thousand times as long as loading."""

    def __init__(self, rules: Sequence[tuple[int, Rule]], cache_dir: Path | None) -> None:
        self._local = threading.local()
        self.db: Any = None
        self.prefilter: Prefilter | None = None
        if not rules:
            return
        if cache_dir is not None:
            self.db, self.prefilter = self._cached(rules, cache_dir), self._planned(rules, cache_dir)
        else:
            self.db, self.prefilter = self._compile(rules), windows.prefilter_of(windows.plan_of(r for _, r in rules))

    def _planned(self, rules: Sequence[tuple[int, Rule]], cache_dir: Path) -> Prefilter | None:
        """The windows of the rules, from disk or now; a file that cannot be used is written again."""
        about = repr([(rule.pattern, rule.caseless) for _, rule in rules]).encode() + windows.digest()
        path = cache_dir / f"{hashlib.sha256(about).hexdigest()[:32]}.windows"
        with contextlib.suppress(OSError, msgspec.MsgspecError, ValueError):
            kept = compiled.load(path)
            digest, made = kept[:32], kept[32:]
            if digest == hashlib.sha256(made).digest():
                return windows.prefilter_of(msgspec.msgpack.decode(made, type=windows.MAYBE))
        plan = windows.plan_of([rule for _, rule in rules])
        made = msgspec.msgpack.encode(plan)
        compiled.keep(path, hashlib.sha256(made).digest() + made)
        return windows.prefilter_of(plan)

    def _cached(self, rules: Sequence[tuple[int, Rule]], cache_dir: Path) -> Any:
        content = repr([(index, rule.pattern, flags_of(rule)) for index, rule in rules])
        probe = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        probe.compile(expressions=[b"x"], ids=[0], elements=1, flags=[0])
        # The library's version and the processor's features are in what it says of any database.
        about = f"{version('hyperscan')} {probe.info()!r} {content}"
        name = hashlib.sha256(about.encode()).hexdigest()[:32]
        path = cache_dir / f"{name}.hs"
        with contextlib.suppress(OSError, hyperscan.HyperscanError, ValueError):
            return hyperscan.loadb(compiled.load(path), mode=hyperscan.HS_MODE_BLOCK)
        db = self._compile(rules)
        compiled.keep(path, hyperscan.dumpb(db))
        return db

    def _compile(self, rules: Sequence[tuple[int, Rule]]) -> Any:
        db = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            compile_all(db, rules)
        except hyperscan.HyperscanError:
            for index, rule in rules:
                try:
                    compile_all(hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK), [(index, rule)])
                except hyperscan.HyperscanError as exc:
                    raise RuleError(f"rule {rule.id}: pattern: {exc}") from None
            raise
        return db

    def may_match(self, text: bytes) -> bool:
        """Whether a scan may find something in the text, or in the text within it. A scan lets go of the interpreter
        lock, and on a busy machine most of what it reads has left the caches: for a short text that costs far more than
        the scan itself."""
        if len(text) > PREFILTERED_BYTES or self.prefilter is None:
            return self.db is not None
        return self.prefilter.may_match(text)

    def scan(self, text: bytes, on_match: Callable[[int, int, int, int, Any], bool | None]) -> None:
        """Every match of every pattern: (rule's index, 0, end, flags, None). A handler that returns True ends it."""
        if self.db is None:
            return
        try:
            scratch = self._local.scratch
        except AttributeError:  # this thread's first
            scratch = self._local.scratch = hyperscan.Scratch(self.db)
        try:  # contextlib.suppress would cost more than the scan of a short text
            self.db.scan(text, match_event_handler=on_match, scratch=scratch)
        except hyperscan.ScanTerminated:
            pass


def compile_all(db: Any, rules: Sequence[tuple[int, Rule]]) -> None:
    db.compile(
        expressions=[rule.pattern.encode() for _, rule in rules],
        ids=[index for index, _ in rules],
        elements=len(rules),
        flags=[flags_of(rule) for _, rule in rules],
    )


class Engine:
    """All rules of a deployment. `rules` by index, the number that findings carry."""

    answer_prefilter: Prefilter | None
    """A text of an answer in which it says that nothing is needs no look; None where some rule looks at every one."""

    def __init__(
        self, rules: Iterable[Rule], cache_dir: Path | None = None, kinds: frozenset[Kind] = frozenset(KINDS)
    ) -> None:
        """`kinds`: of the blocks that it will be asked about; each takes seconds to compile for the first time."""
        self.rules = tuple(rules)
        self._exact = [exact_of(rule) if rule.pattern else None for rule in self.rules]
        self._databases = self._compiled(cache_dir, kinds)
        self._looks: dict[Kind, list[tuple[int, Rule]]] = {kind: [] for kind in KINDS}
        for index, rule in enumerate(self.rules):
            if rule.look is not None:
                for kind in rule.kinds:
                    self._looks[kind].append((index, rule))
        self._longest = {kind: max((rule.most for _, rule in looks), default=0) for kind, looks in self._looks.items()}
        self.answer_prefilter = None
        if "answer_text" in kinds and not self._looks["answer_text"]:
            self.answer_prefilter = self._databases["answer_text"].prefilter
        for rule in self.rules:
            if rule.ready is not None:
                rule.ready()
        self.digest = hashlib.sha256(repr([(r.id, r.pattern, r.exact) for r in self.rules]).encode()).hexdigest()

    def _compiled(self, cache_dir: Path | None, kinds: frozenset[Kind]) -> dict[Kind, Database]:
        """The database of each kind."""
        made: dict[tuple[int, ...], Database] = {}
        found: dict[Kind, Database] = {}
        for alike in ALIKE:
            if not alike & kinds:
                continue
            asked = tuple(i for i, rule in enumerate(self.rules) if rule.pattern and rule.kinds & alike)
            if asked not in made:
                made[asked] = Database([(i, self.rules[i]) for i in asked], cache_dir)
            found.update(dict.fromkeys(alike, made[asked]))
        return found

    def examine(
        self,
        kind: Kind,
        role: str,
        text: bytes,
        tool: str = "",
        tools: tuple[str, ...] = (),
        seam: int = -1,
        effort: Effort | None = None,
    ) -> tuple[Finding, ...]:
        """What the rules of that kind find in the text, in the order of their places. `seam`: only what patterns find
        by both sides of that place, as each side was looked at by itself. `effort`: what is left of a request's."""
        database = self._databases[kind]
        looks = self._looks[kind] if len(text) <= self._longest[kind] else []
        found: Found = {}
        if database.may_match(text):
            effort = Effort() if effort is None else effort
            found = self._matches(kind, role, text, effort)
        elif seam >= 0 or not looks:
            return ()
        if seam >= 0:
            told = [f for f, span in found.items() if f.rule == UNSCANNED or self._crosses(f.rule, text, seam, span)]
            return tuple(sorted(told, key=_in_order))
        if looks:
            look_at(looks, Block(kind, role, text, tool, tools), Effort() if effort is None else effort, found)
        return tuple(sorted(found, key=_in_order)) if found else ()

    def _crosses(self, rule: int, text: bytes, seam: int, span: tuple[int, int]) -> bool:
        return crosses(self._exact[rule], text, seam, span)

    def _matches(self, kind: Kind, role: str, text: bytes, effort: Effort) -> Found:
        """What the patterns find in the text, and in the text within it."""
        found: Found = {}
        self._look_closer(kind, role, text, effort, found)
        peeled = peel(text)
        if peeled is not None:
            # As tools print it: strings that are escaped once more, words over two lines.
            inner: Found = {}
            self._look_closer(kind, role, peeled.text, effort, inner)
            for (rule, start, end), span in inner.items():
                found[Finding(rule, *peeled.place(start, end))] = peeled.place(*span)
        return found

    def _look_closer(self, kind: Kind, role: str, text: bytes, effort: Effort, found: Found) -> None:
        candidates: list[tuple[int, int]] = []
        add = candidates.append

        def on_match(index: int, _start: int, end: int, _flags: int, _context: Any) -> bool:
            add((index, end))
            return len(candidates) >= CANDIDATES_MAX

        self._databases[kind].scan(text, on_match)
        if not candidates:
            return
        look_closer(self._exact, kind, role, text, candidates, effort, found)
        if len(candidates) >= CANDIDATES_MAX:
            found[Finding(UNSCANNED, candidates[-1][1], len(text))] = ALL_OF_IT
