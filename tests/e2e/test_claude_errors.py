"""What Claude Code does with an upstream's errors: how many requests it makes, and the words it shows.

The first column is what the upstream answers to every call. Through the gateway the same happens, except where the
contract turns the error into another; those rows say what is expected there.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fastgate.sim.behaviour import Behaviour
from tests.e2e.conftest import Route
from tests.support.claude import Claude

pytestmark = pytest.mark.e2e

WORDS = "Ask #llm-gw about it."
TEMPORARY = "This is a server-side issue, usually temporary"


@dataclass
class Row:
    """`posts`: requests that the client makes with one retry allowed. `shown`: a part of what it prints; `{m}` is the
    error's own message. The `through_` fields hold where the gateway changes the answer, or asks again by itself."""

    answer: Behaviour
    posts: int
    shown: str
    through_shown: str = ""
    through_more: int = 0
    """Requests that the gateway may add: a reset on a connection that had been idle says nothing of the upstream."""


def refusal(status: int, **fields: str) -> Behaviour:
    return Behaviour(status=status, message=WORDS, **fields)  # type: ignore[arg-type]


OUR_CREDENTIAL = "API Error: 502 "
"""The provider refuses the gateway's own key: never shown as a refusal of the developer's."""

ROWS = {
    "budget": Row(
        refusal(429, error_type="billing_error", should_retry="false", retry_after="604800"),
        1,
        "API Error: Request rejected (429) · {m}",
    ),
    "rate-final": Row(refusal(429, should_retry="false"), 1, "API Error: Request rejected (429) · {m}"),
    "rate-long": Row(refusal(429, retry_after="61"), 1, "API Error: Request rejected (429) · {m}"),
    "rate": Row(refusal(429, retry_after="1"), 2, "API Error: Request rejected (429) · {m}"),
    "payment": Row(refusal(402), 1, "API Error: 402 {m}"),
    "forbidden": Row(refusal(403), 1, "Failed to authenticate. API Error: 403 {m}", OUR_CREDENTIAL),
    "unauthorised": Row(
        refusal(401, should_retry="false"), 1, "Failed to authenticate. API Error: 401 {m}", OUR_CREDENTIAL
    ),
    "policy": Row(refusal(400, error_type="policy_blocked"), 1, "API Error: 400 {m}"),
    "invalid": Row(refusal(400), 6, "API Error: 400 {m}"),
    "not-found": Row(refusal(404), 2, "There's an issue with the selected model"),
    "too-large": Row(refusal(413), 1, "Request too large (max 32MB)"),
    "legal": Row(refusal(451), 1, "API Error: 451 {m}"),
    "overloaded": Row(refusal(529), 2, f"API Error: 529 {{m}} {TEMPORARY}"),
    "overloaded-final": Row(refusal(529, should_retry="false"), 1, f"API Error: 529 {{m}} {TEMPORARY}"),
    "internal": Row(refusal(500), 2, f"API Error: 500 {{m}} {TEMPORARY}"),
    "reset": Row(Behaviour(cut="rst"), 2, "Connection dropped (ECONNRESET)", "API Error: 529 ", 1),
}


@pytest.mark.parametrize("name", ROWS)
def test_requests_and_words(route: Route, claude: Claude, name: str) -> None:
    row = ROWS[name]
    route.upstream.script(row.answer, n=0)
    run = claude.run("say hi", CLAUDE_CODE_MAX_RETRIES="1")
    changed = not route.direct and row.through_shown
    shown = row.through_shown if changed else row.shown
    assert run.code == 1 and shown.format(m=WORDS) in run.out, run
    more = 0 if route.direct else row.through_more
    assert row.posts <= len(route.upstream.settled(row.posts)) <= row.posts + more


def test_a_refusal_in_the_middle_of_a_loop_keeps_the_work_done(route: Route, claude: Claude) -> None:
    notes = claude.project / "notes.txt"
    notes.write_text("first line\n")
    budget = refusal(429, error_type="billing_error", should_retry="false", retry_after="3600")
    route.upstream.script(budget, n=0, turn=2)
    run = claude.run("edit notes.txt")
    assert run.code == 1 and f"Request rejected (429) · {WORDS}" in run.out
    assert notes.read_text() != "first line\n"
    route.calls(3)
