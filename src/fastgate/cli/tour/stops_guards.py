"""Stops about guards: a secret is hidden on its way out, and what models were shown can be asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from fastgate.cli.demo_world import ALICE, curl_line
from fastgate.cli.tour import expect
from fastgate.cli.tour.stage import Stage
from fastgate.cli.tour.stops_cache import DEMO

SECRET = "AKIA" + "Q3EGRDZ7KPLM5XWT"
PROMPT = f"Why does {SECRET} not open the bucket?"
TEXT = "What the tour showed a model."


def hidden_secret(stage: Stage) -> Iterator[str]:
    """A placeholder goes to the provider in the key's place; the record names the rule, never the key."""
    yield curl_line(DEMO, ALICE.secret, "-i", prompt=PROMPT)
    answer = stage.wire.ask(ALICE.secret, PROMPT)
    expect(answer.status == 200, f"200, not {answer.status}")
    guard = answer.headers["x-fastgate-guard"]
    yield f"x-fastgate-guard: {guard}"
    expect(guard == "redacted", "the key hidden")
    call = answer.headers["x-fastgate-call-id"]
    stage.recorded(ALICE, call)
    (found,) = stage.fastgate("guards", "explain", call)["items"]
    yield f"fastgate guards explain: {found['rule']}, {found['action']}, {found['kind']}, match {found['match']}"
    expect(found["rule"] == "aws-access-key-id", "the rule's name")
    expect(SECRET not in str(found), "no key on record")


def seen_text(stage: Stage) -> Iterator[str]:
    """By the SHA-256 of a file, or its path, the call is found that showed it to a model."""
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    yield f"fastgate audit find --sha256 {digest}"
    answer = stage.wire.ask(ALICE.secret, TEXT)
    call = answer.headers["x-fastgate-call-id"]
    stage.recorded(ALICE, call)
    found = stage.fastgate("audit", "find", "--sha256", digest)["items"]
    yield "; ".join(f"{item['user']}, {item['kind']}, call {item['call']}" for item in found)
    expect([item["call"] for item in found] == [call], "the one call")
