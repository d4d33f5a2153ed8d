"""The reaper: turns what dead workers had in flight into journal records, each call once.

A table whose lock can be taken belongs to a dead worker. Its calls that no journal has yet are recorded as `recovered`
in the reaper's own journal, then the table goes away. Before the first record the reaper writes its epoch into the
table, so whoever takes over after a crash looks there too: at every instant a call is in a journal or in its slot.

Owns what a call costs whose end nobody saw. Must not know budgets or how records are used.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from fastgate import clock
from fastgate._core.meter import BYTES_PER_TOKEN_FLOOR
from fastgate._core.money import PriceRow
from fastgate._core.usage import Usage as SeenUsage
from fastgate.journal import KIND_CALL, JournalReader, JournalWriter, Position, call_id
from fastgate.journal.flight import SUFFIX, AbandonedTable, FlightError, FlightSlot, abandoned
from fastgate.journal.format import segment_path, segments_of
from fastgate.record import Attempt, CallRecord, Usage, UsageState

log = logging.getLogger("fastgate.recover")

INPUT_BYTES_PER_TOKEN = 4
"""Stands in for input usage that the provider never stated, as in the gateway's ledger (a test compares)."""

CLOCK_SLACK_NS = 24 * 3600 * 1_000_000_000
"""Journal segments last written this long before the oldest call in flight began are not searched for it. Generous: the
wall clock may have been set back, and a call recorded twice would only rely on its id to be counted once."""

UNNAMED_AGE_S = 60
"""A table without its name and without a lock after this time was never finished."""

UnknownUsage = Literal["seen", "bound"]

_encode = msgspec.msgpack.Encoder().encode


class _IdOnly(msgspec.Struct, frozen=True, array_like=True):
    """The first field of a CallRecord; the rest is skipped, not decoded."""

    id: str


_decode_id = msgspec.msgpack.Decoder(_IdOnly).decode


class Recovery(NamedTuple):
    """What one sweep did: tables of dead workers, calls recorded for them, their cost, slots that nobody can read."""

    tables: int
    calls: int
    cost_nano: int
    unreadable: int


def recover(
    flight_dir: Path,
    journal_dir: Path,
    writer: Callable[[], JournalWriter],
    unknown_usage: UnknownUsage = "seen",
) -> Recovery:
    """Record the calls of every dead worker. `writer` is asked for only when there is something to write. Safe to run
    again after any failure, and in several processes at once. Raises JournalError or OSError."""
    done = Recovery(0, 0, 0, 0)
    for path in sorted(flight_dir.glob("*" + SUFFIX)):
        table = abandoned(path)
        if table is None:
            continue
        with table:
            found = _recover_table(table, journal_dir, writer, unknown_usage)
        done = Recovery(*(sum(pair) for pair in zip(done, found, strict=True)))
    _sweep_unnamed(flight_dir)
    return done


def _recover_table(
    table: AbandonedTable, journal_dir: Path, writer: Callable[[], JournalWriter], unknown_usage: UnknownUsage
) -> Recovery:
    try:
        epoch = table.header().epoch
    except FlightError as error:
        log.error("%s; kept as %s", error, table.set_aside())
        return Recovery(1, 0, 0, 1)
    slots, unreadable = table.calls()
    records: list[CallRecord] = []
    if slots:
        since_ns = min(slot.at_ns for slot in slots) - CLOCK_SLACK_NS
        known = recorded(journal_dir, [epoch, *table.rescuers()], since_ns)
        records = [record_of(slot, epoch, unknown_usage) for slot in slots if call_id(epoch, slot.n) not in known]
    if records:
        journal = writer()
        table.add_rescuer(journal.epoch)
        for record in records:
            journal.append(KIND_CALL, _encode(record))
        journal.sync()
    cost_nano = sum(record.cost_nano for record in records)
    if unreadable:
        log.error("%d calls of a dead worker cannot be read; the table is kept as %s", unreadable, table.set_aside())
    else:
        table.remove()
    log.warning("worker %s died; %d of its calls were still in flight and are recorded now", epoch, len(records))
    return Recovery(1, len(records), cost_nano, unreadable)


def recorded(journal_dir: Path, epochs: Iterable[str], since_ns: int) -> set[str]:
    """The ids of all calls in the journals of `epochs`, as far as they may have been written after `since_ns`."""
    reader = JournalReader(journal_dir)
    ids: set[str] = set()
    for epoch in epochs:
        position = _first_since(journal_dir, epoch, since_ns)
        if position is None:
            continue
        for record in reader.records(epoch, position):
            if record.kind == KIND_CALL:
                try:
                    ids.add(_decode_id(record.body).id)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    log.error("record %d of epoch %s is no call record", record.sequence, epoch)
    return ids


def _first_since(journal_dir: Path, epoch: str, since_ns: int) -> Position | None:
    for segment in segments_of(journal_dir, epoch):
        try:
            if segment_path(journal_dir, epoch, segment).stat().st_mtime_ns >= since_ns:
                return Position(segment, 0, 0)
        except FileNotFoundError:
            continue
    return None


def record_of(slot: FlightSlot, epoch: str, unknown_usage: UnknownUsage) -> CallRecord:
    """The record of a call whose worker died before it could write one."""
    note = slot.note
    usage, state, cost_nano = charge(slot, unknown_usage)
    attempts = [Attempt(note.endpoint, note.model_used, 0, "", 0, cost_nano)] if note.endpoint else []
    return CallRecord(
        id=call_id(epoch, slot.n),
        at_ns=slot.at_ns,
        duration_us=0,
        head_us=0,
        org=note.org,
        team=note.team,
        user=note.user,
        key=note.key,
        cost_center=note.cost_center,
        tags=note.tags,
        session=note.session,
        agent=note.agent,
        parent_agent=note.parent_agent,
        request_class=note.request_class,
        route="count_tokens" if note.route == "count_tokens" else "messages",
        model_asked=note.model_asked,
        model_used=note.model_used,
        endpoint=note.endpoint,
        provider=note.provider,
        status=0,
        outcome="recovered",
        error="",
        stream=note.stream,
        cache=note.cache,
        guard=note.guard,
        routed=note.routed,
        usage=usage,
        usage_state=state,
        cost_nano=cost_nano + note.spent_nano,
        cost_asked_nano=cost_nano + note.spent_nano,
        saved_nano=0,
        stages=[],
        policy=note.policy,
        attempts=attempts,
        system_sha256=note.system_sha256,
        tools=list(note.tools),
        request_bytes=note.request_bytes,
        response_bytes=0,
        upstream_request_id="",
        cells=note.cells,
    )


def charge(slot: FlightSlot, unknown_usage: UnknownUsage) -> tuple[Usage, UsageState, int]:
    """Usage, how sure it is, and its price: what was seen, at least what the bytes seen must have cost, and the bound
    where the configuration wants that. Counting tokens is free, and what was not sent yet."""
    note = slot.note
    if not note.price or note.route == "count_tokens" or not slot.sent:
        return Usage(), "none", 0
    exact = slot.final and not slot.malformed
    usage = _usage_of(slot, exact=exact, request_bytes=note.request_bytes)
    try:
        cost_nano = PriceRow.of_ints(note.price).cost(_seen(slot, usage))
    except (ValueError, OverflowError) as error:
        # Figures that no provider states: the table was not written by a worker of ours, or lost power half-way.
        log.error("call %d has impossible usage (%s); its bound is charged", slot.n, error)
        return Usage(), "missing", note.bound_nano
    if exact:
        return usage, "exact", cost_nano
    if unknown_usage == "bound":
        cost_nano = max(cost_nano, note.bound_nano)
    return usage, "partial" if slot.seen else "missing", cost_nano


def _usage_of(slot: FlightSlot, *, exact: bool, request_bytes: int) -> Usage:
    input_tokens, output_tokens, write_5m, write_1h, read = slot.tokens
    if not exact:
        output_tokens = max(output_tokens, -(-slot.output_bytes // BYTES_PER_TOKEN_FLOOR))
    if not slot.seen:
        input_tokens = max(input_tokens, -(-request_bytes // INPUT_BYTES_PER_TOKEN))
    uses = zip(("web_search", "web_fetch", "code_execution"), slot.server_tools, strict=True)
    tools = {name: count for name, count in uses if count}
    return Usage(input_tokens, output_tokens, write_5m, write_1h, read, tools)


def _seen(slot: FlightSlot, usage: Usage) -> SeenUsage:
    return SeenUsage.of(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        web_search=slot.server_tools[0],
        web_fetch=slot.server_tools[1],
        code_execution=slot.server_tools[2],
        fast=slot.fast,
        us_geo=slot.us_geo,
        priority=slot.priority,
    )


def _sweep_unnamed(flight_dir: Path) -> None:
    """Remove tables that their worker died on before it could give them their name; no call was ever in one."""
    for path in flight_dir.glob(f"*{SUFFIX}.*.new"):
        try:
            if clock.wall_ns() - path.stat().st_mtime_ns < UNNAMED_AGE_S * 1_000_000_000:
                continue
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
        except (FileNotFoundError, BlockingIOError):
            continue
