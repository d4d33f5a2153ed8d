"""Stops about money: a cap that holds, an increase for a while, a pause by hand, a developer's own line."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from fastgate.cli.demo_world import ALICE, BOB, curl_line
from fastgate.cli.tour import expect
from fastgate.cli.tour.stage import Stage
from fastgate.cli.tour.stops_calls import DEMO
from fastgate.cli.tour.stops_keys import refused
from fastgate.cli.tour.wire import Answer
from fastgate.clock import mono_ns

CAP = "tour-cap"
ROOM_USD = Decimal("0.003")
"""Worth a few calls of a scripted provider, above what was spent before: a new budget counts its whole period."""
CALLS_MAX = 40
WITHIN_S = 1.0
"""How soon every worker follows a change."""


def capped(stage: Stage) -> Iterator[str]:
    """A hard budget is never passed: what a call can cost is held before it is sent. Then one refusal, no retries."""
    before = sum(Decimal(row["cost"]) for row in stage.fastgate("spend", "--by", "user", "--user", BOB.user)["items"])
    limit = str(before + ROOM_USD)
    words = ("budgets", "set", CAP, "--user", BOB.user, "--period", "day", "--usd", limit, "--stage", "1=pause")
    yield "fastgate " + " ".join(words)
    stage.fastgate(*words)
    stage.until("every worker has the budget", lambda: all(CAP in _budgets(stage) for _ in range(8)) or None)
    spent, answered = Decimal(0), 0
    answer = stage.wire.ask(BOB.secret, "say hi")
    while answered < CALLS_MAX and (answer.status != 429 or answer.json["error"]["type"] != "billing_error"):
        spent += Decimal(answer.headers["x-fastgate-cost"])
        answered += answer.status == 200
        answer = stage.wire.ask(BOB.secret, f"say hi once more, {answered}")
    expect(answer.status == 429, f"a refusal within {CALLS_MAX} calls")
    yield f"{answered} calls for $ {spent}, and then"
    yield refused(answer)
    expect(0 < spent <= ROOM_USD, f"no more than {ROOM_USD} spent, not {spent}")
    expect(answer.headers.get("x-should-retry") == "false", "x-should-retry: false")


def raised(stage: Stage) -> Iterator[str]:
    """A temporary increase opens the budget for a while, with an amount, an end, a reason and who approved it."""
    words = ("budgets", "raise", CAP, "--usd", "1", "--until", "1h", "--reason", "release-week")
    yield "fastgate " + " ".join(words)
    made = stage.fastgate(*words)
    yield f"increase {made['id']} of $ {made['usd']} until {made['until']}, approved by {made['decided_by']}"
    stage.until("calls pass again", lambda: stage.wire.ask(BOB.secret, "say hi").status == 200 or None, WITHIN_S)
    told = _budgets(stage)[CAP]
    limit = Decimal(told["limit"])
    yield f"limit $ {told['limit']}, ceiling $ {told['ceiling']}, remaining $ {told['remaining']}"
    expect(Decimal(told["ceiling"]) == limit + 1, f"a ceiling of {limit + 1}")
    stage.fastgate("budgets", "remove", CAP)


def paused(stage: Stage) -> Iterator[str]:
    """Anybody's spending can be stopped by hand; who is refused reads who did it and why."""
    yield f'fastgate pause user {BOB.user} --reason "a runaway agent"    # then: fastgate resume user {BOB.user}'
    stage.fastgate("pause", "user", BOB.user, "--reason", "a runaway agent")
    begun_ns = mono_ns()

    def all_answer(status: int) -> Answer | None:
        answers = [stage.wire.ask(BOB.secret, "hi") for _ in range(8)]
        return answers[-1] if all(answer.status == status for answer in answers) else None

    # What they said is shown: one more call may meet a worker that none of the eight met, and that has yet to see it.
    refusal = stage.until("every worker refuses", lambda: all_answer(429), WITHIN_S)
    yield f"refused by every worker {(mono_ns() - begun_ns) / 1e6:.0f} ms after the command had ended"
    yield refused(refusal)
    stage.fastgate("resume", "user", BOB.user)
    stage.until("every worker takes calls", lambda: all_answer(200), WITHIN_S)
    yield "resumed: 200"


def status_line(stage: Stage) -> Iterator[str]:
    """A developer's own remaining budget, as Claude Code's status line shows it."""
    from fastgate.cli import statusline

    yield "fastgate statusline    # with the two export lines of a key; docs/budgets.md has the setting"
    environ = {"ANTHROPIC_BASE_URL": f"http://{stage.wire.address}", "ANTHROPIC_AUTH_TOKEN": ALICE.secret}
    shown = statusline.shown({**environ, "NO_COLOR": "1"}, "")
    expect("left of $" in shown, "the remaining budget")
    yield shown
    yield "and everything behind it: " + curl_line(DEMO, ALICE.secret).partition("/v1/")[0] + "/v1/fastgate/me"


def _budgets(stage: Stage) -> dict[str, dict[str, str]]:
    """Bob's budgets by id."""
    answer = stage.wire.get("/v1/fastgate/me", BOB.secret)
    return {budget["id"]: budget for budget in answer.json["budgets"]}
