"""Stops about calls that reach a provider: priced, streamed, left by the client, failed upstream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fastgate.cli.demo_world import ALICE, BOB, MODEL, curl_line
from fastgate.cli.tour import expect
from fastgate.cli.tour.stage import Stage
from fastgate.clock import mono_ns

DEMO = "127.0.0.1:8080"
"""Where the commands to repeat point: `fastgate demo` as it starts by default."""

CLOSING = ": fastgate "
CANCEL_S = 1.0
"""Within this the provider's side must be closed after a client left; the gateway's own bound is 250 ms."""

READ_NS = 500_000_000
"""How long the client that leaves has read: half a second, so that some of the answer was made."""

SLOW = "[[sim:slow bytes_per_s=2000]] [[sim:answer tokens=2000]]"
"""An answer of 8 KB of text that takes seconds."""

SHOWN = ("call-id", "model-used", "provider", "cost", "latency-ms", "cache", "guard", "policy")


def priced_call(stage: Stage) -> Iterator[str]:
    """The gateway knows whose key it is, forwards the call, and says on the answer what it cost."""
    yield curl_line(DEMO, ALICE.secret, "-i")
    answer = stage.wire.ask(ALICE.secret, "say hi")
    expect(answer.status == 200, f"200, not {answer.status}: {answer.body[:200]!r}")
    for name in SHOWN:
        value = answer.headers.get(f"x-fastgate-{name}")
        expect(value is not None, f"an x-fastgate-{name} header")
        yield f"x-fastgate-{name}: {value}"
    expect(answer.headers.get("x-agentcc-cache") == "miss", "x-agentcc-cache: miss, under the second prefix")
    usage = answer.json["usage"]
    cost = answer.headers["x-fastgate-cost"]
    yield f"{usage['input_tokens']} tokens in and {usage['output_tokens']} out of {MODEL} are ${cost}"
    expect(cost == price_of(usage), f"the list price, ${price_of(usage)}")
    record = stage.recorded(ALICE, answer.headers["x-fastgate-call-id"])
    who = {name: record[name] for name in ("user", "team", "org", "cost_center")}
    yield "recorded for " + ", ".join(f"{name} {value}" for name, value in who.items())
    expect(record["cost"] == cost and record["user"] == ALICE.user, "a record with the same cost, for alice")


def price_of(usage: dict[str, Any]) -> str:
    """What plain input and output tokens cost at the list price, computed apart from the gateway."""
    from fastgate._core.money import format_usd
    from fastgate._core.usage import Usage
    from fastgate.prices.book import PriceBook
    from fastgate.prices.catalog import compile_prices
    from fastgate.prices.settings import PriceSettings

    row = PriceBook(compile_prices(PriceSettings())).row("anthropic", MODEL)
    tokens = Usage.of(input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])
    return format_usd(row.cost(tokens))


def streamed_call(stage: Stage) -> Iterator[str]:
    """A stream passes event by event; a comment line after the last event, which clients ignore, says what it cost."""
    yield curl_line(DEMO, ALICE.secret, "-N", "-i", stream=True)
    stream = stage.wire.stream(ALICE.secret, "say hi")
    lines = list(stream.lines())
    stream.close()
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    yield f"{len(events)} events, from {events[0]} to {events[-1]}"
    expect(events[0] == "message_start" and events[-1] == "message_stop", "a whole stream")
    bound = stream.headers.get("x-fastgate-cost-bound")
    expect(bound is not None, "an x-fastgate-cost-bound header")
    yield f"x-fastgate-cost-bound: {bound}   (the most it could have cost, known before the first byte)"
    closing = [line for line in lines if line.startswith(CLOSING)]
    expect(len(closing) == 1 and [line for line in lines if line][-1] == closing[0], "one closing comment, at the end")
    told = json.loads(closing[0].removeprefix(CLOSING))
    yield closing[0]
    expect(float(told["cost"]) <= float(bound or 0), "a cost within the bound")
    expect(told["cost"] == price_of(told["usage"]), f"the list price, ${price_of(told['usage'])}")


def client_leaves(stage: Stage) -> Iterator[str]:
    """A client that leaves in the middle of an answer ends it at the provider at once, and is charged what was made."""
    yield "timeout 1 " + curl_line(DEMO, BOB.secret, "-N", prompt=SLOW, stream=True)
    stream = stage.wire.stream(BOB.secret, SLOW)
    expect(stream.status == 200, f"200, not {stream.status}")
    begun_ns = mono_ns()
    for line in stream.lines():
        if "content_block_delta" in line and mono_ns() - begun_ns > READ_NS:
            break
    call_id = stream.headers["x-fastgate-call-id"]
    yield f"left after {len(stream.read)} lines"
    left_ns = mono_ns()
    stream.close()
    record = stage.recorded(BOB, call_id)
    yield f"outcome {record['outcome']}, {record['usage']['output_tokens']} output tokens, cost ${record['cost']}"
    expect(record["outcome"] == "client_gone", "outcome client_gone")
    expect(record["usage"]["output_tokens"] > 0 and float(record["cost"]) > 0, "a charge for what was generated")
    gone_ns = stage.until("the provider sees its side closed", lambda: provider_saw_close(stage, left_ns))
    yield f"the provider's side was closed {(gone_ns - left_ns) / 1e6:.0f} ms after the client had left"
    expect(gone_ns - left_ns < CANCEL_S * 1e9, f"closed within {CANCEL_S:g} s")


def provider_saw_close(stage: Stage, since_ns: int) -> int | None:
    """When a scripted provider saw the gateway close a call early, after `since_ns`; same machine, same clock."""
    seen = [line["gone_ns"] for line in stage.provider_log() if line["kind"] == "end" and line["gone_ns"] > since_ns]
    return min(seen, default=None)


def fail_over(stage: Stage) -> Iterator[str]:
    """When an endpoint cannot be connected to, the same call goes to the next before the client has seen a byte."""
    yield f"pkill -9 -f 'demo_provider --port 8090'; {curl_line(DEMO, ALICE.secret, '-i')}"
    stage.kill_provider("demo-a")
    answer = stage.wire.ask(ALICE.secret, "say hi")
    expect(answer.status == 200, f"200, not {answer.status}: {answer.body[:200]!r}")
    yield f"{answer.status}, x-fastgate-provider: {answer.headers['x-fastgate-provider']}"
    expect(answer.headers["x-fastgate-provider"] == "demo-b", "an answer of demo-b")
    record = stage.recorded(ALICE, answer.headers["x-fastgate-call-id"])
    tried = [(attempt["endpoint"], attempt["status"], attempt["error"]) for attempt in record["attempts"]]
    yield "recorded: " + ", then ".join(f"{name} {error or status}" for name, status, error in tried)
    expect(tried == [("demo-a", 0, "connect"), ("demo-b", 200, "")], "both attempts on record")


def upstream_error(stage: Stage) -> Iterator[str]:
    """What the provider refuses reaches the client as it came, but for the quota headers of the shared key."""
    message = "prompt is too long: 210000 tokens > 200000 maximum"
    prompt = (
        f'[[sim:error status=400 error_type=invalid_request_error message="{message}" '
        "header.anthropic-ratelimit-requests-remaining=7]]"
    )
    yield curl_line(DEMO, ALICE.secret, "-i", prompt=prompt)
    answer = stage.wire.ask(ALICE.secret, prompt)
    yield f"{answer.status} {answer.body.decode()}"
    expect(answer.status == 400, f"400, not {answer.status}")
    expect(answer.json["error"]["message"] == message, "the provider's own words")
    quota = [name for name in answer.headers if name.startswith("anthropic-ratelimit")]
    expect(not quota, "no quota headers")
    yield f"x-fastgate-cost: {answer.headers['x-fastgate-cost']}"
    expect(float(answer.headers["x-fastgate-cost"]) == 0, "no charge")
