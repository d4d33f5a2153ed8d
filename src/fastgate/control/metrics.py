"""The gateway's figures in Prometheus' text form, written by hand: a dozen lines need no client library.

Counters count from the start of this process, as Prometheus expects, and only ever grow: each look adds the calls that
came into the usage table since the look before, so neither its size nor its retention shows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from itertools import accumulate

from sqlalchemy import Engine, func, select

import fastgate
from fastgate._core.money import format_usd
from fastgate.control.shapes import Status
from fastgate.control.usage_schema import calls, counted
from fastgate.lag import LAG_BOUNDS_MS, Lag, lag_of
from fastgate.state import StateDir
from fastgate.stores.engine import reading
from fastgate.workers import live_workers

TOKENS = ("input_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")

Labels = Mapping[str, str]
Sample = tuple[Labels, int | str]


class CallCounters:
    """Calls, cost and tokens since this process began."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        with reading(engine) as connection:
            self._seen: int = connection.scalar(select(func.max(counted.c.seq))) or 0
        self.calls: dict[str, int] = {}
        self.cost_nano = self.broke_nano = 0
        self.tokens = dict.fromkeys(TOKENS, 0)

    def look(self) -> None:
        """Adds what has come since the last look."""
        sums = [func.sum(calls.c[name]).label(name) for name in ("cost_nano", "broke_nano", *TOKENS)]
        asked = select(calls.c.outcome, func.count().label("calls"), func.max(counted.c.seq).label("last"), *sums)
        with self._lock, reading(self._engine) as connection:
            if connection.scalar(select(func.max(counted.c.seq))) is None:
                self._seen = 0  # retention emptied the table; it numbers from 1 again
            rows = connection.execute(
                calls.ask(asked.where(counted.c.seq > self._seen)).group_by(calls.c.outcome)
            ).all()
            for row in rows:
                self.calls[row.outcome] = self.calls.get(row.outcome, 0) + row.calls
                self.cost_nano += row.cost_nano
                self.broke_nano += row.broke_nano
                for name in TOKENS:
                    self.tokens[name] += getattr(row, name)
                self._seen = max(self._seen, row.last)


def exposition(status: Status, counters: CallCounters, lag: Lag) -> str:
    """The whole page."""
    counters.look()
    lines: list[str] = []
    lines += metric("build_info", "gauge", "The version that runs.", [({"version": fastgate.__version__}, 1)])
    outcomes: list[Sample] = [({"outcome": name}, n) for name, n in sorted(counters.calls.items())]
    lines += metric("calls_total", "counter", "Finished calls by outcome.", outcomes)
    lines += metric("cost_usd_total", "counter", "Cost of finished calls.", [({}, format_usd(counters.cost_nano))])
    lost: list[Sample] = [({}, format_usd(counters.broke_nano))]
    lines += metric("prompt_cache_breaks_usd_total", "counter", "Lost by breaks of providers' prompt caches.", lost)
    tokens: list[Sample] = [({"class": name.removesuffix("_tokens")}, n) for name, n in counters.tokens.items()]
    lines += metric("tokens_total", "counter", "Tokens of finished calls by class.", tokens)
    lines += metric("in_flight", "gauge", "Calls in flight.", [({}, status.in_flight)])
    lines += metric("workers", "gauge", "Live data-plane processes.", [({}, len(status.workers))])
    lines += metric("workers_configured", "gauge", "Data-plane processes wanted.", [({}, status.workers_configured)])
    lines += metric("draining", "gauge", "1 while new calls are refused.", [({}, int(status.draining))])
    lines += metric("snapshot_generation", "gauge", "Generation of the published snapshot.", [({}, status.generation)])
    adopted = min((worker.generation for worker in status.workers), default=0)
    lines += metric("snapshot_generation_adopted", "gauge", "The oldest that a worker still uses.", [({}, adopted)])
    lines += lag_lines(lag)
    lines += metric("keys", "gauge", "Secrets of virtual keys that are accepted.", [({}, status.keys)])
    lines += metric("journal_damage", "gauge", "Unreadable places in the journal.", [({}, status.damaged_records)])
    return "\n".join(lines) + "\n"


def lag_of_live(state: StateDir) -> Lag:
    return lag_of(state.lag_dir, (worker.epoch for worker in live_workers(state)))


def lag_lines(lag: Lag) -> list[str]:
    """The histogram of how late the loops of live workers were. A worker that ends takes its share away, which
    Prometheus reads as a new start."""
    cumulative = list(accumulate(lag.counts))
    bounds = [*(f"{bound / 1e3:g}" for bound in LAG_BOUNDS_MS), "+Inf"]
    name = "loop_lag_seconds"
    lines = metric(name, "histogram", "How late the event loops of live workers were, of a hundred beats a second.", [])
    lines += [f'fastgate_{name}_bucket{{le="{le}"}} {n}' for le, n in zip(bounds, cumulative, strict=True)]
    return [*lines, f"fastgate_{name}_sum {lag.sum_ns / 1e9:.6f}", f"fastgate_{name}_count {cumulative[-1]}"]


def metric(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> list[str]:
    """One metric's lines, its samples last."""
    full = f"fastgate_{name}"
    return [
        f"# HELP {full} {meaning}",
        f"# TYPE {full} {kind}",
        *(f"{full}{_labels(labels)} {value}" for labels, value in samples),
    ]


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
