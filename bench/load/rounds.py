"""The rounds of a run: for each row, upstream alone, nginx and fastgate one after the other, over and over.

Interleaved, because a shared machine drifts: within a round the three see the same neighbours.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.load import certificate, gateway, nginx, payloads, wrk
from bench.load.processes import Server, cpu_between
from bench.load.rows import GATEWAYS, Row, Target

PATH = "/v1/messages?beta=true"
WARM_UP_S = 1.0
SETTLE_S = 0.3
"""Pause between runs, so that the last connections of one are gone before the next."""


@dataclass(frozen=True)
class Plan:
    """How long, how often, with how many processes."""

    seconds: float
    rounds: int
    workers: int
    mock_workers: int
    with_gateway: bool = True


@dataclass
class Result:
    """What one target did in one row, a sample a round."""

    row: str
    target: str
    samples: list[dict[str, Any]] = field(default_factory=list)

    def take(self, sample: wrk.Sample, cpu_s: tuple[float, float] = (0.0, 0.0)) -> None:
        """Adds a run; `cpu_s` is all CPU that the target used in it, and its control plane's part."""
        each = 1e6 / max(sample.requests, 1)
        cpu = {"cpu_us": cpu_s[0] * each, "control_us": cpu_s[1] * each}
        derived = {"requests_per_s": sample.requests_per_s, "errors": sample.errors}
        self.samples.append(asdict(sample) | cpu | derived)

    def fault(self) -> str:
        """What failed, in words; empty when nothing did."""
        kinds = sum((Counter(sample["error_kinds"]) for sample in self.samples), Counter())
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        return f"{self.row}, {self.target}: errors: {told}" if told else ""


def measure(rows: list[Row], plan: Plan, folder: Path) -> tuple[list[Result], list[str]]:
    """Results of all rows, and what went wrong on the way (empty when nothing did)."""
    results: list[Result] = []
    faults: list[str] = []
    for mock in dict.fromkeys(row.mock for row in rows):
        together = [row for row in rows if row.mock == mock]
        place = folder / mock
        with stage(together, plan, place) as servers:
            found, answered = measure_stage(together, servers, plan, place)
        results += found
        if plan.with_gateway:
            for of_gateway, count in answered.items():
                recorded = gateway.recorded_calls(of_gateway)
                name = of_gateway.relative_to(place)
                note(f"{name} answered {count:,} calls and recorded {recorded:,}")
                if recorded < count:
                    faults.append(f"{name} answered {count:,} calls and recorded {recorded:,}")
    return results, faults + [fault for result in results if (fault := result.fault())]


@contextmanager
def stage(rows: list[Row], plan: Plan, folder: Path) -> Iterator[list[Server]]:
    """The one upstream of these rows and all servers that they want before it: those that speak TLS beside those that
    do not, so that the same rounds see both."""
    with ExitStack() as stack:
        if rows[0].mock == "nginx":
            upstream = stack.enter_context(nginx.fixed_upstream(folder / "mock"))
        else:
            upstream = stack.enter_context(gateway.simulator(folder / "mock", plan.mock_workers))
        servers = [upstream]
        for tls in sorted({row.tls for row in rows}):
            wanted = {name for row in rows if row.tls == tls for name in row.targets}
            place = folder / ("tls" if tls else "plain")
            place.mkdir()
            pair = certificate.make(place) if tls else None
            servers += [stack.enter_context(server) for server in fronts(wanted, upstream, rows[0], plan, place, pair)]
        yield servers


def fronts(
    wanted: set[Target], upstream: Server, row: Row, plan: Plan, place: Path, pair: certificate.Certificate | None
) -> Iterator[Server]:
    """The servers of one kind before the upstream, none of them started."""
    yield nginx.reverse_proxy(place / "proxy", upstream.url, stream=row.mock == "simulate", tls=pair)
    if not plan.with_gateway:
        return
    if "bare" in wanted:
        yield gateway.bare(place / "bare", upstream.url, plan.workers)
    for name in GATEWAYS:
        if name in wanted:
            yield gateway.gateway(place / name, upstream.url, plan.workers, name, pair)


def of_row(row: Row, servers: list[Server]) -> list[Server]:
    """Those that the row drives."""
    return [
        server
        for server in servers
        if server.name in row.targets and (server.name == "mock" or (server.tls is not None) == row.tls)
    ]


def measure_stage(
    rows: list[Row], servers: list[Server], plan: Plan, folder: Path
) -> tuple[list[Result], Counter[Path]]:
    """The results of rows that share an upstream, and how many calls each gateway, by its folder, answered for them."""
    driven = {row.name: of_row(row, servers) for row in rows}
    table = {(row.name, target.name): Result(row.name, target.name) for row in rows for target in driven[row.name]}
    shots = {row.name: shot_of(row, folder) for row in rows}
    answered = Counter({server.log.parent: 0 for server in servers if server.name in GATEWAYS})
    for row in rows:
        for target in driven[row.name]:
            try_once(target, row)
            warm = wrk.run(target.url + PATH, shots[row.name], row.connections, WARM_UP_S)
            if target.name in GATEWAYS:
                answered[target.log.parent] += 1 + warm.requests
    for turn in range(plan.rounds):
        for row in rows:
            # Each round starts with another target, so that none always runs in the wake of the same one.
            targets = driven[row.name]
            first = turn % len(targets)
            for target in targets[first:] + targets[:first]:
                time.sleep(SETTLE_S)
                before = target.cpu_s()
                sample = wrk.run(target.url + PATH, shots[row.name], row.connections, plan.seconds)
                table[row.name, target.name].take(sample, cpu_between(before, target.cpu_s()))
                if target.name in GATEWAYS:
                    answered[target.log.parent] += sample.requests
                note(f"{turn + 1}/{plan.rounds} {row.name:10} {target.name:9} {sample.requests_per_s:10,.0f}/s")
    return list(table.values()), answered


def shot_of(row: Row, folder: Path) -> wrk.Shot:
    headers = payloads.HEADERS | {"x-api-key": gateway.KEY}
    return wrk.Shot.write(folder, row.name, payloads.body(row.body, row.stream), headers)


def try_once(target: Server, row: Row) -> None:
    """One call by hand: a target that answers wrongly must not be measured."""
    connection = target.connect(30)
    headers = payloads.HEADERS | {"x-api-key": gateway.KEY}
    connection.request("POST", PATH, payloads.body(row.body, row.stream), headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    good = b"message_stop" in body if row.stream else json.loads(body).get("type") == "message"
    if answer.status != 200 or not good:
        raise RuntimeError(f"{target.name} answered {row.name} with {answer.status}: {body[:300]!r}\n{target.said()}")
    if target.name in GATEWAYS and answer.getheader("x-fastgate-call-id") is None:
        raise RuntimeError(f"fastgate's answer to {row.name} lacks its headers: {answer.getheaders()}")


def note(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
