"""`python -m bench.slow`: what a thousand slow connections cost everybody else.

Well-behaved calls come at a steady, modest rate (bench.steady), first alone, then beside slow heads, bodies and readers
of two attackers: one that needs next to no CPU (bench.slow_client), as attackers elsewhere do, and slowhttptest, which
keeps a core of this machine busy. What that core costs is told by its control: the same attack on a bystander, a server
that has nothing to do with the calls. Rounds are interleaved, so that a machine that drifts slows all of them. Goal:
p99 beside an attack within 20 % of its control. Writes bench/slow.json for bench.render.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import slow_client, steady
from bench.figures import median
from bench.load import gateway, nginx
from bench.load.processes import Server, cpu_between, environ
from bench.load.rounds import note
from bench.lock import BusyError, only_one
from bench.section import Goal, Section

SLOWHTTPTEST = {
    "heads": ["-H", "-i", "5"],
    "bodies": ["-B", "-i", "5", "-s", "8192", "-t", "POST"],
    "readers": ["-X", "-w", "1", "-y", "16", "-n", "5", "-z", "1", "-k", "1"],
}
SLOW_CONNECTIONS = 1_000
CALLS_PER_S = 500
"""A twentieth of what the gateway takes here: the cores are idle most of the time, so p99 shows who is in the way."""

OPENING_S = 1.5
"""slowhttptest opens its connections at a thousand a second; they are all there after this."""

SETTLE_S = 0.3
"""After an attack, for the server to see that its connections are gone."""

GOAL = 1.20


@dataclass(frozen=True)
class Beside:
    """One situation of the calls through `server`: an attack of `kind` by `attacker` on `victim`, or none."""

    server: str
    kind: str = ""
    attacker: str = ""
    victim: str = ""

    @property
    def control(self) -> Beside:
        """What it is held against: no attack, or for slowhttptest the same one on the bystander."""
        if self.attacker == "slowhttptest":
            return Beside(self.server, self.kind, self.attacker, "bystander")
        return Beside(self.server)

    def __str__(self) -> str:
        if not self.kind:
            return "nothing"
        where = ", at a bystander" if self.victim == "bystander" else ""
        return f"slow {self.kind}{' of slowhttptest' if self.attacker == 'slowhttptest' else ''}{where}"


@dataclass
class Found:
    """A sample a round: the times of the calls in ms, and the CPU of server and attacker in parts of one core."""

    times_ms: list[list[float]] = field(default_factory=list)
    server_cores: list[float] = field(default_factory=list)
    attacker_cores: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> list[float]:
        return [p99(times) for times in self.times_ms]


def situations() -> list[Beside]:
    found = []
    for server in ("fastgate", "nginx"):
        found.append(Beside(server))
        found += [Beside(server, kind, "quiet", server) for kind in slow_client.KINDS]
        for kind in slow_client.KINDS if server == "fastgate" else slow_client.KINDS[:1]:
            found += [Beside(server, kind, "slowhttptest", victim) for victim in ("bystander", server)]
    return found


def p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


@contextmanager
def attack(beside: Beside, url: str, count: int = SLOW_CONNECTIONS) -> Iterator[subprocess.Popen[bytes] | None]:
    """The attacker with all its connections open; ended with the block."""
    if not beside.kind:
        yield None
        return
    if beside.attacker == "slowhttptest":
        options = [*SLOWHTTPTEST[beside.kind], "-c", str(count), "-r", str(count), "-l", "60", "-p", "3"]
        command = ["slowhttptest", *options, "-u", f"{url}/v1/messages"]
    else:
        module = [sys.executable, "-m", "bench.slow_client"]
        command = [*module, beside.kind, url.rpartition(":")[2], str(count), gateway.KEY]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ())
    try:
        if beside.attacker == "slowhttptest":
            time.sleep(OPENING_S)
        else:
            assert process.stdout is not None
            if process.stdout.readline() != b"open\n":
                raise RuntimeError(f"the slow connections could not be opened: slow {beside.kind} at {beside.victim}")
        yield process
    finally:
        process.kill()
        process.communicate()
        time.sleep(SETTLE_S)


def once(beside: Beside, servers: dict[str, Server], seconds: float, found: Found) -> None:
    """One run of one situation."""
    server = servers[beside.server]
    with attack(beside, servers[beside.victim].url if beside.victim else "") as attacker:
        before, begun, spent = server.cpu_s(), time.monotonic(), cpu_of(attacker)
        times = steady.times_of(int(server.url.rpartition(":")[2]), CALLS_PER_S, seconds, gateway.KEY)
        took = time.monotonic() - begun
        found.times_ms.append(times)
        found.server_cores.append(cpu_between(before, server.cpu_s())[0] / took)
        found.attacker_cores.append((cpu_of(attacker) - spent) / took)


def cpu_of(process: subprocess.Popen[bytes] | None) -> float:
    if process is None:
        return 0.0
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def measure(folder: Path, seconds: float, rounds: int) -> dict[Beside, Found]:
    """What every situation did to the calls."""
    found = {beside: Found() for beside in situations()}
    with (
        nginx.fixed_upstream(folder / "mock") as upstream,
        nginx.fixed_upstream(folder / "bystander") as bystander,
        nginx.reverse_proxy(folder / "proxy", upstream.url, stream=False) as proxy,
        gateway.gateway(folder / "gateway", upstream.url, gateway.usable_cores()) as ours,
    ):
        servers = {"fastgate": ours, "nginx": proxy, "bystander": bystander}
        for server in (ours, proxy):
            once(Beside(server.name), servers, 1.0, Found())  # warm
        for turn in range(rounds):
            for beside, into in found.items():
                once(beside, servers, seconds, into)
                note(f"{turn + 1}/{rounds} {beside.server:9} {beside!s:44} p99 {into.p99_ms[-1]:.2f} ms")
    return found


def ratio(found: dict[Beside, Found], beside: Beside) -> float:
    """p99 of all its calls to that of its control's."""
    return pooled(found[beside]) / pooled(found[beside.control])


def pooled(found: Found) -> float:
    return p99([time_ms for times in found.times_ms for time_ms in times])


def section(found: dict[Beside, Found]) -> Section:
    rows = []
    for beside, into in found.items():
        times = [time_ms for sample in into.times_ms for time_ms in sample]
        rows.append(
            [
                beside.server,
                str(beside),
                f"{median(times):.2f}",
                f"{pooled(into):.2f}",
                f"{min(into.p99_ms):.2f} to {max(into.p99_ms):.2f}",
                f"{ratio(found, beside):.2f}" if beside.control != beside else "",
                f"{median(into.server_cores) * 100:.0f} %",
                f"{median(into.attacker_cores) * 100:.0f} %" if beside.kind else "",
            ]
        )
    goals = [goal(found, beside) for beside in found if beside.server == "fastgate" and beside.control != beside]
    about = (
        f"{CALLS_PER_S} small calls a second, which leave when they are due and wait for no other, beside "
        f"{SLOW_CONNECTIONS:,} slow connections. Slow heads, bodies and readers are those of a client that needs next "
        "to no CPU; slowhttptest keeps one of the two cores busy by itself, whatever it attacks, so its row is held "
        "against the same attack at a bystander, another server on the machine. The calls' own client has nice "
        f"{steady.NICE}, everything else 0. CPU is in parts of one core; the gateway's is that of all its processes."
    )
    columns = ("calls through", "beside", "p50 ms", "p99 ms", "rounds", "of control", "server CPU", "attacker CPU")
    return Section("Beside slow connections", about, columns, rows, goals)


def goal(found: dict[Beside, Found], beside: Beside) -> Goal:
    """One attack on the gateway, held against its control."""
    of_control, against = ratio(found, beside), "alone"
    if beside.attacker == "slowhttptest":
        against = "beside the same at a bystander"
    used, control = (median(found[one].server_cores) * 100 for one in (beside, beside.control))
    return Goal(
        f"p99 beside {SLOW_CONNECTIONS:,} {beside} is {of_control:.2f} of what it is {against} (<= {GOAL})",
        of_control <= GOAL,
        why=f"The gateway's processes used {used:.0f} % of a core beside it, {control:.0f} % in its control: the rest "
        "is waiting for a core",
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.slow", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="length of one run  [2]")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind  [3]")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    chosen = parser.parse_args()
    missing = [name for name in ("nginx", "slowhttptest") if not shutil.which(name)]
    if missing:
        sys.stderr.write(f"{' and '.join(missing)} not found: make peers\n")
        return 2
    try:
        with only_one(), tempfile.TemporaryDirectory(prefix="fastgate-bench-") as folder:
            result = section(measure(Path(folder), chosen.seconds, chosen.rounds))
    except (BusyError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    result.write("slow")
    for goal in result.goals:
        print(f"{'met   ' if goal.met else 'MISSED'}  {goal.text}")
    return 1 if chosen.check and not all(goal.met for goal in result.goals) else 0


if __name__ == "__main__":
    sys.exit(main())
