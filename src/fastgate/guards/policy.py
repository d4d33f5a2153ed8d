"""What a deployment does about findings: which rules it has, and for a caller the action of each in each kind of block.

Owns the reading of `guards:` rows (snapshot.GuardRow). Must not know texts or requests. Where several rows name a rule,
the strongest action counts; a row in shadow only says what it would have done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fastgate.guards.rule import KINDS, REQUEST, Kind, Rule, RuleError, Scanner

if TYPE_CHECKING:
    from fastgate.snapshot import GuardException, GuardRow, GuardScope, KeyRow

STRENGTH = {"log": 1, "redact": 2, "block": 3}


class Act(NamedTuple):
    """What happens at a finding. `shadow`: what would have happened, were it not for shadow mode, else empty."""

    action: str
    shadow: str = ""


class Actions(NamedTuple):
    """What a caller is under: the act of each (rule's index, kind's index), and whether some rule must not pass what it
    cannot read. `closed` are the ids of such rules."""

    acts: Mapping[tuple[int, int], Act]
    closed: tuple[str, ...]
    answers: bool
    """Some rule looks at answers."""
    hold: int = 0
    """Bytes of an answer's text that are held back, so that a finding is whole before its beginning has gone on."""


def in_scope(scope: GuardScope, who: KeyRow) -> bool:
    """Whether the caller is meant: every list that is not empty must name it. Tags are those that an administrator set:
    what a client says of itself turns no guard on or off."""
    said = {name for name, _ in who.given}
    tags = {name: value for name, value in who.tags.items() if name not in said}
    return (
        (not scope.orgs or who.org in scope.orgs)
        and (not scope.teams or who.team in scope.teams)
        and (not scope.users or who.user in scope.users)
        and (not scope.keys or who.key in scope.keys)
        and all(fnmatchcase(tags.get(name, ""), value) for name, value in scope.tags.items())
    )


def rules_of(row: GuardRow, scanners: Mapping[str, Scanner]) -> tuple[Rule, ...]:
    """The rules that a row turns on. RuleError for an unknown family, rule or setting."""
    scanner = scanners.get(row.use)
    if scanner is None:
        raise RuleError(f"no guard is called {row.use}; there are: {', '.join(sorted(scanners))}")
    if asks_somebody(row):
        raise RuleError(f"{row.use} asks nobody: url, api_key, credentials, timeout_ms and parallel are for vendors")
    rules = scanner.rules
    if row.settings:
        if scanner.settings is None or scanner.make is None:
            raise RuleError(f"{row.use} has no settings")
        known = {field.name for field in msgspec.structs.fields(scanner.settings)}
        unknown = sorted(set(row.settings) - known)
        if unknown:
            raise RuleError(f"{row.use} has no setting {unknown[0]}; it has: {', '.join(sorted(known))}")
        try:
            settings = msgspec.convert(row.settings, scanner.settings, strict=False)
            rules = scanner.make(settings)
        except (msgspec.ValidationError, ValueError) as exc:
            raise RuleError(f"{row.use}: settings: {exc}") from None
    if row.rules:
        known_ids = {rule.id for rule in rules}
        for wanted in row.rules:
            if wanted not in known_ids:
                raise RuleError(f"{row.use} has no rule {wanted}")
        rules = tuple(rule for rule in rules if rule.id in row.rules)
    return rules


def asks_somebody(row: GuardRow) -> bool:
    """Whether the row says something that only a vendor's guard can be told."""
    bare = msgspec.structs.replace(row, url="", api_key="", credentials_file="", command=(), profile="")
    default = type(row)(row.use, row.action)
    return bare != row or (row.timeout_ms, row.parallel) != (default.timeout_ms, default.parallel)


class Policy:
    """The rows and their rules. `rules` by index; a rule that several rows share is there once."""

    def __init__(self, rows: Iterable[GuardRow], scanners: Mapping[str, Scanner]) -> None:
        self.rows = tuple(rows)
        self.rules: list[Rule] = []
        self._indexes: list[tuple[int, ...]] = []
        shared: dict[int, int] = {}
        for row in self.rows:
            indexes = []
            for rule in rules_of(row, scanners):
                if id(rule) not in shared:
                    shared[id(rule)] = len(self.rules)
                    self.rules.append(rule)
                indexes.append(shared[id(rule)])
            self._indexes.append(tuple(indexes))
        self._known: dict[int, Actions] = {}

    def actions(self, who: KeyRow) -> Actions:
        """What the caller is under. Callers that the same rows mean share one table."""
        mask = 0
        for bit, row in enumerate(self.rows):
            if row.scope is None or in_scope(row.scope, who):
                mask |= 1 << bit
        known = self._known.get(mask)
        if known is None:
            known = self._known[mask] = self._build(mask)
        return known

    def _build(self, mask: int) -> Actions:
        acts: dict[tuple[int, int], Act] = {}
        closed: dict[str, None] = {}
        for bit, row in enumerate(self.rows):
            if not mask >> bit & 1:
                continue
            for index in self._indexes[bit]:
                rule = self.rules[index]
                for kind in kinds_of(row, rule):
                    place = (index, KINDS.index(kind))
                    acts[place] = stronger(acts.get(place), act_of(row, rule))
            if row.fail == "closed" and not row.shadow:
                closed[row.use] = None
        answers = any(KINDS[kind] not in REQUEST for _, kind in acts)
        held = (self.rules[index].hold for (index, kind), act in acts.items() if holds_back(kind, act))
        return Actions(acts, tuple(closed), answers, max(held, default=0))

    def exception(self, rule: Rule, match_hash: str, who: KeyRow, now_ns: int) -> GuardException | None:
        """The exception that covers a finding of that rule, while it lasts."""
        for row in self.rows:
            if row.exceptions:
                found = exception_in(row, (rule.id,), match_hash, who, now_ns)
                if found is not None:
                    return found
        return None


def exception_in(
    row: GuardRow, names: Iterable[str], match_hash: str, who: KeyRow, now_ns: int
) -> GuardException | None:
    """The row's exception, in force now, that lets a finding of one of those names through."""
    for exception in row.exceptions:
        if (
            exception.rule in names
            and (not exception.until_ns or now_ns < exception.until_ns)
            and (not exception.match or exception.match == match_hash)
            and (exception.scope is None or in_scope(exception.scope, who))
        ):
            return exception
    return None


def holds_back(kind: int, act: Act) -> bool:
    """Whether an answer's text waits for that act: what is only logged may have gone on."""
    return KINDS[kind] == "answer_text" and act.action != "log"


def kinds_of(row: GuardRow, rule: Rule) -> Iterable[Kind]:
    """The kinds of blocks in which the row uses the rule: those of both, or the rule's where the row names none."""
    return rule.kinds if not row.on else [kind for kind in KINDS if kind in row.on and kind in rule.kinds]


def act_of(row: GuardRow, rule: Rule) -> Act:
    action = row.severity.get(rule.severity, row.action)
    return Act("log", action) if row.shadow else Act(action)


def stronger(one: Act | None, other: Act) -> Act:
    if one is None:
        return other
    action = max(one.action, other.action, key=STRENGTH.__getitem__)
    shadows = [act.shadow for act in (one, other) if act.shadow and STRENGTH[act.shadow] > STRENGTH[action]]
    return Act(action, max(shadows, key=STRENGTH.__getitem__, default=""))
