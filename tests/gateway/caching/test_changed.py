"""A call that a budget gave less output, or another model, does not share its answer with those that asked for more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastgate.sim.behaviour import Behaviour
from tests.support.burst import post
from tests.support.gateway import Gateway, serving
from tests.support.sim import SimProcess

CONFIG = """\
limits: {budget_wait_ms: 400, min_output_tokens: 200}
routing: {cascade: [claude-opus-*, claude-haiku-*]}
cache: {exact: {namespace: team}}
"""

PAUSE = "stages: [{at: 1.0, do: pause}]"
BUDGETS = f"""\
budgets:
  - {{id: small, level: tag, of: "session=small", org: acme, period: day, usd: 0.05, {PAUSE}}}
  - id: downgrade
    level: tag
    of: "session=downgrade"
    org: acme
    period: day
    usd: 10
    stages: [{{at: 0.00001, do: downgrade}}, {{at: 1.0, do: pause}}]
"""


@pytest.fixture(scope="module")
def gateway(upstream: SimProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    with serving(folder, upstream.url, more=CONFIG, budgets=BUDGETS) as served:
        yield served


def asks(session: str, text: str, stream: bool, model: str = "claude-haiku-5-5") -> bytes:
    request = {
        "model": model, "max_tokens": 100_000, "stream": stream, "messages": [{"role": "user", "content": text}],
        "metadata": {"user_id": json.dumps({"session_id": session})},
    }  # fmt: skip
    return json.dumps(request).encode()


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_made_shorter_is_not_shared(gateway: Gateway, upstream: SimProcess, stream: bool) -> None:
    upstream.fresh()
    port = int(gateway.url.rpartition(":")[2])
    text = f"tell me everything {stream}"
    upstream.script(Behaviour(scenario="text", stall_head_s=0.6, stop_reason="max_tokens", tokens=20), n=1)

    async def both() -> tuple[str, str]:
        short = asyncio.create_task(post(port, asks("small", text, stream)))
        await asyncio.sleep(0.3)
        whole = await post(port, asks("wide", text, stream))
        return (await short).headers["x-fastgate-cache"], whole.headers["x-fastgate-cache"]

    assert asyncio.run(both()) == ("miss", "miss")
    calls = upstream.settled(2)
    least, most = sorted(json.loads(upstream.body(call))["max_tokens"] for call in calls)
    assert least < most == 100_000
