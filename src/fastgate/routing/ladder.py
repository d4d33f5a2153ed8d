"""The ladder: whether a call gets another model than it asked for, and what is noted of that.

Owns the order of things: the key's opt-out, the rule or cascade step, whether the target may and can serve, and whether
it is dearer than staying. A call that is moved is another request from then on; one that is kept says why. Must not
know budgets: a stage is a word to it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fastgate.routing.bounded import is_bounded_edit
from fastgate.routing.chains import standing
from fastgate.routing.ladder_prices import expected_nano, prompt_tokens
from fastgate.routing.ladder_rules import first_rule
from fastgate.routing.moving import moved, obstacle

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastgate._core.request import RequestView
    from fastgate.call import Call
    from fastgate.snapshot import KeyRow, RuleRow, SnapshotData

STAGE, CEILING, THROTTLED, PREFERRED = -1, -2, -3, -4
"""In place of a rule's number: a step down the cascade at a budget's stage, under its ceiling, away from a throttled
model; to one that the request itself names."""

UNKNOWN = -1
"""Of what no rule has looked at."""


class View:
    """One call as rules see it (ladder_rules.Sight). What was looked at is remembered for the record."""

    def __init__(self, call: Call, stage: Callable[[], str]) -> None:
        request, who = call.request, call.principal
        assert request is not None
        assert who is not None
        self.call = call
        self.request: RequestView = request
        self.who: KeyRow = who
        self.at_ns = call.at_ns
        self.model = call.model_used
        self.request_class = call.head.request_class or ("subagent" if call.head.agent else "")
        self.tools = request.tool_count > 0
        self._stage = stage
        self.seen_stage: str | None = None
        self.seen_tokens: tuple[int, int] | None = None
        self.seen_tool_use: bool | None = None
        self.seen_edit: bool | None = None

    def stage(self) -> str:
        if self.seen_stage is None:
            self.seen_stage = self._stage()
        return self.seen_stage

    def tokens(self) -> tuple[int, int]:
        if self.seen_tokens is None:
            self.seen_tokens = prompt_tokens(self.call.snapshot.router, self.call, self.model)
        return self.seen_tokens

    def tool_use(self) -> bool:
        if self.seen_tool_use is None:
            where = standing(self.call.body)
            self.seen_tool_use = where is not None and where.tool_use
        return self.seen_tool_use

    def bounded_edit(self) -> bool:
        if self.seen_edit is None:
            self.seen_edit = is_bounded_edit(self.call.body)
        return self.seen_edit


class Ladder:
    """The rules and cascades of one snapshot."""

    def __init__(self, data: SnapshotData) -> None:
        self.rules: tuple[RuleRow, ...] = data.rules
        self.opt_out = data.opt_out
        self.cascade = data.cascade
        self.throttled = data.throttled

    def opted_out(self, call: Call) -> bool:
        who = call.principal
        return who is not None and any(fnmatchcase(who.key, glob) for glob in self.opt_out)

    def apply(self, call: Call, stage: Callable[[], str]) -> None:
        """Let the first rule that holds decide about the call."""
        if call.route != "messages" or self.opted_out(call):
            return
        view = View(call, stage)
        index = first_rule(self.rules, view)
        if index >= 0:
            call.decided = True
            self.move(call, view, self.rules[index].to, index, f"rule;{index + 1}")

    def lower(self, call: Call, budget: str, why: str) -> bool:
        """A step down the cascade for a budget; False, and nothing changed, where there is none to take. `why`: stage
        steps are never dearer than staying; under a ceiling, where staying is a refusal, they may be."""
        if why == "ceiling" and self.prefer(call, why):
            return True
        if self.opted_out(call):
            return False
        target = next_model(call, self.cascade)
        if target is None:
            return False
        stage = "" if why == "ceiling" else why
        return self.move(call, View(call, lambda: stage), target, STAGE if stage else CEILING, f"budget;{budget};{why}")

    def descend(self, call: Call) -> bool:
        """Away from a model whose endpoints are all throttled. Its price is what staying would be: no answer."""
        if self.opted_out(call):
            return False
        target = next_model(call, self.throttled)
        if target is None:
            return False
        return self.move(call, View(call, str), target, THROTTLED, f"throttled;{call.model_used}")

    def prefer(self, call: Call, why: str, models: tuple[str, ...] | None = None) -> bool:
        """To the first of `models`, those that the request names and that are left, which can go on with it; False, and
        none is left, where none can."""
        for target in call.preferred if models is None else models:
            rest = call.preferred[call.preferred.index(target) + 1 :]
            if self.move(call, View(call, str), target, PREFERRED, f"preferred;{call.model_used};{why}"):
                call.preferred = rest
                return True
        call.preferred = ()
        return False

    def ready(self, call: Call, model: str, now_ns: int) -> bool:
        """Whether some endpoint of the model is healthy."""
        return any(place.breaker.ready(now_ns) for place in call.snapshot.router.places(model))

    def move(self, call: Call, view: View, target: str, rule: int, why: str) -> bool:
        """Move the call, or note why it is kept."""
        if target == view.model:
            return False
        stay_nano = move_nano = 0
        kept = refusal(view, target)
        if not kept and rule not in (CEILING, THROTTLED, PREFERRED):
            router = call.snapshot.router
            stay_nano, move_nano = expected_nano(router, call, view.model), expected_nano(router, call, target)
            if move_nano > stay_nano:
                kept = "dearer"
        kept = kept or obstacle(call.body, view.tokens()[0], target)  # last: it reads the whole body
        tokens = view.seen_tokens or (UNKNOWN, UNKNOWN)
        call.ladder = (
            rule,
            view.model,
            target,
            kept,
            stay_nano,
            move_nano,
            view.seen_stage or "",
            *tokens,
            UNKNOWN if view.seen_tool_use is None else int(view.seen_tool_use),
            UNKNOWN if view.seen_edit is None else int(view.seen_edit),
        )
        if kept:
            call.routed = f"kept;{kept}"
            return False
        body, request, left_out = moved(call.body, view.request, target)
        call.model_asked = call.model_asked or view.model
        call.preferred = ()  # who moves a call has the last word
        call.body, call.request, call.model = body, request, target
        call.routed = f"{why};left-out;{','.join(left_out)}" if left_out else why
        return True


def refusal(view: View, target: str) -> str:
    """Why the target may not serve the call, or nobody serves it; empty where it does."""
    who, call = view.who, view.call
    if who.models and not any(fnmatchcase(target, glob) for glob in who.models):
        return "not-allowed"
    return "" if call.snapshot.router.places(target) else "not-served"


def next_model(call: Call, cascade: tuple[tuple[str, str], ...]) -> str | None:
    """The first model further down the cascade that the key may use."""
    who, model = call.principal, call.model_used
    assert who is not None
    at = next((index for index, (glob, _) in enumerate(cascade) if fnmatchcase(model, glob)), len(cascade))
    for _, target in cascade[at + 1 :]:
        if not who.models or any(fnmatchcase(target, glob) for glob in who.models):
            return target
    return None
