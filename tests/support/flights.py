"""Notes and records for tests of the journal, the flight table and what reads them."""

from collections.abc import Callable
from typing import Any

import msgspec

from fastgate._core.money import PriceRow
from fastgate.journal import JournalWriter
from fastgate.journal.flight import FlightNote
from fastgate.record import Attempt, CallRecord, Usage

PRICE = PriceRow.new(
    input_pico=3_000_000,
    output_pico=15_000_000,
    cache_write_5m_pico=3_750_000,
    cache_write_1h_pico=6_000_000,
    cache_read_pico=300_000,
    web_search_nano=10_000_000,
)
"""$3 in, $15 out per million tokens; $10 per thousand searches."""

NewWriter = Callable[..., JournalWriter]
"""What the fixture `new_writer` gives."""

encode = msgspec.msgpack.Encoder().encode
decode_record = msgspec.msgpack.Decoder(CallRecord).decode


def note(**changes: Any) -> FlightNote:
    """A Claude Code call of alice's."""
    plain = FlightNote(
        org="acme",
        team="platform",
        user="alice",
        key="alice-laptop",
        cost_center="CC-1001",
        tags={"project": "checkout"},
        session="11111111-2222-3333-4444-555555555555",
        agent="",
        parent_agent="",
        request_class="main",
        route="messages",
        model_asked="claude-sonnet-4-5",
        model_used="claude-sonnet-4-5",
        endpoint="anthropic-a",
        provider="anthropic",
        stream=True,
        policy="p1",
        system_sha256="ab" * 32,
        tools=("Read", "Edit", "Bash"),
        request_bytes=4000,
        bound_nano=2_000_000_000,
        price=PRICE.ints(),
    )
    return msgspec.structs.replace(plain, **changes)


def record(call_id: str, **changes: Any) -> CallRecord:
    """A finished call of alice's."""
    plain = CallRecord(
        id=call_id,
        at_ns=1_790_000_000_123_456_789,
        duration_us=1_234_567,
        head_us=345_678,
        org="acme",
        team="platform",
        user="alice",
        key="alice-laptop",
        cost_center="CC-1001",
        tags={"project": "checkout"},
        session="11111111-2222-3333-4444-555555555555",
        agent="",
        parent_agent="",
        request_class="main",
        route="messages",
        model_asked="claude-sonnet-4-5",
        model_used="claude-sonnet-4-5",
        endpoint="anthropic-a",
        provider="anthropic",
        status=200,
        outcome="ok",
        error="",
        stream=True,
        cache="bypass",
        guard="not-scanned",
        routed="",
        usage=Usage(10, 20, 30, 0, 40, {"web_search": 1}),
        usage_state="exact",
        cost_nano=12_345_000,
        cost_asked_nano=12_345_000,
        saved_nano=0,
        stages=[],
        policy="p1",
        attempts=[Attempt("anthropic-a", "claude-sonnet-4-5", 200, "", 1_234_000, 12_345_000)],
        system_sha256="ab" * 32,
        tools=["Read", "Edit", "Bash"],
        request_bytes=4000,
        response_bytes=9000,
        upstream_request_id="req_1",
        stop_reason="end_turn",
    )
    return msgspec.structs.replace(plain, **changes)
