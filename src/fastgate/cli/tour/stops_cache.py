"""Stops about the cache: what was answered before is given again for nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fastgate.cli.demo_world import ALICE, curl_line, reworded
from fastgate.cli.tour import expect
from fastgate.cli.tour.stage import Stage

DEMO = "127.0.0.1:8080"
"""Where the commands to repeat point: `fastgate demo` as it starts by default."""

SESSION = "6d2f1c52-0000-4000-8000-0f1a5e1ca5ed"
"""The demo shares answers within a session."""

PROMPT = "What does package.json say?"


def cached_call(stage: Stage) -> Iterator[str]:
    """The same question in the same session is answered from the cache: the same bytes, no provider, no cost."""
    yield (
        curl_line(DEMO, ALICE.secret, "-i", "-H", f"'x-claude-code-session-id: {SESSION}'", prompt=PROMPT)
        + "   # twice"
    )
    first, second = (stage.wire.ask(ALICE.secret, PROMPT, session=SESSION) for _ in range(2))
    expect(first.status == second.status == 200, f"200 twice, not {first.status} and {second.status}")
    for answer in (first, second):
        told = {name: answer.headers.get(f"x-fastgate-{name}", "-") for name in ("cache", "cost", "saved")}
        yield ", ".join(f"x-fastgate-{name}: {value}" for name, value in told.items()) + f"   ({answer.took_ms:.1f} ms)"
    expect(first.headers["x-fastgate-cache"] == "miss", "a miss first")
    expect(second.headers["x-fastgate-cache"] == "hit", "a hit then")
    expect(second.body == first.body, "the same bytes")
    expect(second.headers["x-fastgate-cost"] == "0.000000000", "no cost")
    expect(second.headers["x-fastgate-saved"] == first.headers["x-fastgate-cost"], "the price of the first as saved")
    record = stage.recorded(ALICE, second.headers["x-fastgate-call-id"])
    expect(record["saved"] == first.headers["x-fastgate-cost"], "the saving on record")
    stats = stage.fastgate("cache", "stats")
    row = next(row for row in stats["items"] if row["team"] == ALICE.team)
    yield f"fastgate cache stats: {row['hit']} hit, {row['miss']} miss, ratio {row['hit_ratio']}, saved ${row['saved']}"
    expect(row["hit"] >= 1, "the hit in the statistics")


SHARED_S = 1.0
"""Within this every worker knows what another was asked."""

ASKED = "Change the timeout in src/app.py to 10 seconds."
REWORDED = "Please update the timeout in src/app.py to 10 seconds"
NEAR_MISSES = (
    "Please update the timeout in src/app.py to 100 seconds",
    "Do not update the timeout in src/app.py to 10 seconds",
)


def reworded_call(stage: Stage) -> Iterator[str]:
    """A rewording that names the same is answered from the cache; one number or denial more, and the provider is
    asked."""
    if reworded() == "off":
        yield "not shown: pip install 'fastgate[semantic]'"
        return
    for prompt in (ASKED, REWORDED):
        yield curl_line(DEMO, ALICE.secret, "-i", "-H", f"'x-claude-code-session-id: {SESSION}'", prompt=prompt)
    first = stage.wire.ask(ALICE.secret, ASKED, session=SESSION)
    time.sleep(SHARED_S)
    again = stage.wire.ask(ALICE.secret, REWORDED, session=SESSION)
    expect(first.headers["x-fastgate-cache"] == "miss", "a miss first")
    expect(again.headers["x-fastgate-cache"] == "hit-semantic", "hit-semantic for the rewording")
    expect(again.body == first.body, "the same answer")
    expect(again.headers["x-fastgate-cost"] == "0.000000000", "no cost")
    expect(again.headers["x-fastgate-saved"] == first.headers["x-fastgate-cost"], "the price of the first as saved")
    yield f"{REWORDED!r}: hit-semantic, saved ${again.headers['x-fastgate-saved']}   ({again.took_ms:.1f} ms)"
    for prompt in NEAR_MISSES:
        answer = stage.wire.ask(ALICE.secret, prompt, session=SESSION)
        expect(answer.headers["x-fastgate-cache"] == "miss", f"a miss for {prompt!r}")
        yield f"{prompt!r}: miss, and paid for ${answer.headers['x-fastgate-cost']}"
