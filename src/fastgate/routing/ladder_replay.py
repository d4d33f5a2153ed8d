"""A decision of the ladder asked again: the same rules give the same answer for a record as for its call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.routing.ladder import STAGE
from fastgate.routing.ladder_rules import first_rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastgate.record import CallRecord, Step
    from fastgate.snapshot import RuleRow


class Recalled:
    """A record as rules see it (ladder_rules.Sight). LookupError for what nobody looked at: the rules are others."""

    def __init__(self, record: CallRecord, step: Step) -> None:
        self.who = record
        self.at_ns = record.at_ns
        self.model = step.asked
        self.request_class = record.request_class or ("subagent" if record.agent else "")
        self.tools = bool(record.tools)
        self._step = step

    def stage(self) -> str:
        return self._step.stage

    def tokens(self) -> tuple[int, int]:
        return known(self._step.input_tokens), known(self._step.new_input_tokens)

    def tool_use(self) -> bool:
        return bool(known(self._step.tool_use))

    def bounded_edit(self) -> bool:
        return bool(known(self._step.bounded_edit))


def known(value: int) -> int:
    if value < 0:
        raise LookupError("the rules look at what was not looked at then")
    return value


def replay_rule(record: CallRecord, rules: Sequence[RuleRow]) -> tuple[int, str, str]:
    """Of a record that a rule decided about: the rule's place, its model, and why the call was kept (empty: it was
    not), as `rules` and the prices of then have it. LookupError, with the reason, where `rules` cannot be those."""
    step = record.ladder
    if step is None or step.rule < 0:
        raise LookupError("no rule has decided about this call")
    index = first_rule(rules, Recalled(record, step))
    if index < 0:
        raise LookupError("none of these rules is about this call")
    kept = step.kept if step.kept != "dearer" else ""
    if not kept and step.move_nano > step.stay_nano:
        kept = "dearer"
    return index, rules[index].to, kept


def agrees(record: CallRecord, rules: Sequence[RuleRow]) -> bool | None:
    """Whether the recorded decision comes out again: the rule, its model, and what the two prices say. None where there
    was nothing to decide between: under a ceiling, away from a throttled model, to a model that the request names.
    LookupError where `rules` cannot be those of then."""
    step = record.ladder
    if step is None or step.rule < STAGE:
        return None
    if step.rule == STAGE:
        return step.kept not in ("", "dearer") or (step.kept == "dearer") == (step.move_nano > step.stay_nano)
    return replay_rule(record, rules) == (step.rule, step.to, step.kept)
