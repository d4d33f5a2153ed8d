"""Stops about keys: unknown, mistyped, limited to models, revoked."""

from __future__ import annotations

from collections.abc import Iterator

from fastgate.cli.demo_world import ALICE, BOB, CAROL, DENIED_MODEL, curl_line
from fastgate.cli.tour import expect
from fastgate.cli.tour.stage import Stage
from fastgate.cli.tour.stops_calls import DEMO
from fastgate.cli.tour.wire import Answer
from fastgate.clock import mono_ns

REVOKE_S = 1.0
"""Within this a revoked key is refused by every worker."""


def refused(answer: Answer) -> str:
    return f"{answer.status} {answer.json['error']['type']}: {answer.json['error']['message']}"


def wrong_key(stage: Stage) -> Iterator[str]:
    """A key that nobody issued is refused, and clients are told not to try again: Claude Code would for minutes."""
    from fastgate.keys import new_secret

    unknown = new_secret()
    yield curl_line(DEMO, unknown, "-i")
    answer = stage.wire.ask(unknown, "say hi")
    yield refused(answer)
    expect(answer.status == 401, f"401, not {answer.status}")
    expect(answer.json["error"]["type"] == "authentication_error", "authentication_error")
    expect(answer.headers.get("x-should-retry") == "false", "x-should-retry: false")
    yield "x-should-retry: false"


def typing_error(stage: Stage) -> Iterator[str]:
    """A mistyped key gets the same answer, so that nothing can be guessed; its checksum tells the typo at home."""
    from fastgate.keys import new_secret

    mistyped = ALICE.secret[:-1] + ("0" if ALICE.secret[-1] != "0" else "1")
    yield f"echo {mistyped} | fastgate keys verify"
    unknown, typo = stage.wire.ask(new_secret(), "hi"), stage.wire.ask(mistyped, "hi")
    expect(unknown.status == typo.status == 401, "401 for both")
    expect(unknown.json["error"] == typo.json["error"], "the same words for both")
    yield "from outside: " + refused(typo)
    form = stage.fastgate("keys", "verify", mistyped, code=1)["form"]
    expect(form == "typo", f"typo, not {form}")
    expect(stage.fastgate("keys", "verify", ALICE.secret)["form"] == "wellformed", "wellformed for the right one")
    yield "at home: a fastgate key with a typing error"


def model_not_allowed(stage: Stage) -> Iterator[str]:
    """A key can be limited to models. The refusal is of the one form that Claude Code shows at once and verbatim."""
    yield curl_line(DEMO, CAROL.secret, "-i", model=DENIED_MODEL)
    answer = stage.wire.ask(CAROL.secret, "say hi", DENIED_MODEL)
    yield refused(answer)
    expect(answer.status == 400 and answer.json["error"]["type"] == "policy_blocked", "400 policy_blocked")
    expect(answer.headers.get("x-fastgate-provider") == "none", "no provider asked")
    allowed = stage.wire.ask(CAROL.secret, "say hi")
    expect(allowed.status == 200, f"200 for {CAROL.models[0]}, not {allowed.status}")
    yield f"and {allowed.headers['x-fastgate-model-used']} answers: {allowed.status}"


def revoked_key(stage: Stage) -> Iterator[str]:
    """A key is created, shown once, used, revoked; within a second every worker refuses it."""
    yield f"fastgate keys create --user {BOB.user}    # then: fastgate keys revoke ID"
    made = stage.fastgate("keys", "create", "--user", BOB.user)
    yield f"created {made['id']}"
    stage.until("the new key opens", lambda: stage.wire.ask(made["secret"], "hi").status == 200 or None)
    yield "it opens: 200"
    stage.fastgate("keys", "revoke", made["id"])
    begun_ns = mono_ns()

    def refused_everywhere() -> bool | None:
        return all(stage.wire.ask(made["secret"], "hi").status == 401 for _ in range(8)) or None

    stage.until("every worker refuses the key", refused_everywhere, REVOKE_S)
    yield f"refused by every worker {(mono_ns() - begun_ns) / 1e6:.0f} ms after the command had ended"
