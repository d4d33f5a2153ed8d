"""The flight table from inside its worker and from outside."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.flight import HEADER_BYTES, NOTE_BYTES, SLOT_BYTES, FlightTable
from fastgate._core.head import read_head
from fastgate._core.request import read_request
from fastgate._core.usage import Usage
from fastgate.call import Call
from fastgate.journal import new_epoch
from fastgate.journal.flight import FlightError, FlightNote, abandoned, encode_note, fit_note, peek
from fastgate.snapshot import KeyRow, Snapshot
from tests.support.flights import PRICE, note


@pytest.fixture
def table(tmp_path: Path) -> FlightTable:
    return FlightTable.create(tmp_path / "w.flight", new_epoch(), 4)


def killed(table: FlightTable) -> Path:
    """The file as a kill at this instant would leave it: the same bytes, nobody's lock."""
    return Path(shutil.copy(table.path, table.path + ".killed.flight"))


def test_a_slot_is_taken_told_and_freed(table: FlightTable) -> None:
    slots = [table.claim(n, 1000 + n, fit_note(note(user=f"u{n}"))) for n in (1, 2, 3, 4)]
    assert sorted(slots) == [0, 1, 2, 3]
    assert table.claim(5, 0, b"") == -1, "full"
    assert (table.in_flight, table.slots) == (4, 4)
    table.release(slots[1])
    assert table.in_flight == 3
    assert table.claim(6, 1006, fit_note(note(user="u6"))) == slots[1]
    table.generation = 77
    table.calls = 9
    header = peek(Path(table.path))
    assert header == (os.getpid(), table.epoch, header.started_ns, 4, 77, 9, True)
    assert header.unfinished == 9
    assert header.started_ns > 1_700_000_000_000_000_000
    assert abandoned(Path(table.path)) is None, "alive"


def test_a_dead_workers_slots_are_read_whole(tmp_path: Path) -> None:
    table = FlightTable.create(tmp_path / "w.flight", new_epoch(), 600)
    for n in range(1, 501):
        slot = table.claim(n, 1000 + n, fit_note(note(user=f"u{n}", stream=n % 2 == 0)))
        usage = Usage.of(
            input_tokens=n,
            output_tokens=2 * n,
            cache_write_5m_tokens=3 * n,
            cache_write_1h_tokens=4 * n,
            cache_read_tokens=5 * n,
            web_search=6,
            web_fetch=7,
            code_execution=8,
            fast=n % 2 == 0,
            us_geo=n % 3 == 0,
            priority=n % 5 == 0,
            seen=True,
            final=n % 7 == 0,
            malformed=n % 11 == 0,
        )
        table.note_usage(slot, usage, 9 * n)
        if n % 10 == 0:
            table.release(slot)
    epoch = table.epoch
    path = killed(table)
    assert (peek(path).alive, peek(path).in_flight) == (False, 450)
    dead = abandoned(path)
    assert dead is not None
    with dead:
        assert abandoned(path) is None, "one rescuer at a time"
        assert dead.header().epoch == epoch
        calls, unreadable = dead.calls()
    assert unreadable == 0
    assert [call.n for call in calls] == [n for n in range(1, 501) if n % 10]
    for call in calls:
        n = call.n
        assert call.at_ns == 1000 + n
        assert call.note == note(user=f"u{n}", stream=n % 2 == 0)
        assert (call.tokens, call.server_tools, call.output_bytes) == (
            (n, 2 * n, 3 * n, 4 * n, 5 * n),
            (6, 7, 8),
            9 * n,
        )
        flags = (call.fast, call.us_geo, call.priority, call.seen, call.final, call.malformed)
        assert flags == (n % 2 == 0, n % 3 == 0, n % 5 == 0, True, n % 7 == 0, n % 11 == 0)


def test_a_claimed_slot_starts_from_nothing(table: FlightTable) -> None:
    slot = table.claim(1, 1, fit_note(note()))
    table.note_usage(slot, Usage.of(input_tokens=9, web_search=3), 100)
    table.amend(slot, fit_note(note(user="old")))
    table.release(slot)
    assert table.claim(2, 2, fit_note(note(user="new"))) == slot
    path = killed(table)
    dead = abandoned(path)
    assert dead is not None
    with dead:
        (call,), _ = dead.calls()
    assert (call.n, call.note.user, call.tokens, call.server_tools, call.output_bytes, call.seen) == (
        2, "new", (0, 0, 0, 0, 0), (0, 0, 0), 0, False,
    )  # fmt: skip


def test_amend_puts_another_note_in_force_and_begins_an_attempt(table: FlightTable) -> None:
    slot = table.claim(1, 1, fit_note(note(endpoint="a")))
    table.note_usage(slot, Usage.of(input_tokens=5), 0)
    for endpoint in ("b", "c", "d"):
        table.amend(slot, fit_note(note(endpoint=endpoint, spent_nano=7)))
    path = killed(table)
    dead = abandoned(path)
    assert dead is not None
    with dead:
        (call,), _ = dead.calls()
    assert (call.note.endpoint, call.note.spent_nano, call.tokens[0], call.sent) == ("d", 7, 0, False)


def test_misuse_is_refused(table: FlightTable, tmp_path: Path) -> None:
    for slot in (-1, 0, 4, 1 << 20):
        with pytest.raises(ValueError, match="not taken"):
            table.release(slot)
        with pytest.raises(ValueError, match="not taken"):
            table.amend(slot, b"")
        with pytest.raises(ValueError, match="not taken"):
            table.note_usage(slot, Usage.of(), 0)
    with pytest.raises(ValueError, match="does not fit"):
        table.claim(1, 1, bytes(NOTE_BYTES + 1))
    assert table.in_flight == 0
    assert [table.claim(n, 1, b"") for n in range(5)] == [0, 1, 2, 3, -1], "a refused note took no slot"
    with pytest.raises(TypeError):
        FlightTable()
    for slots in (0, -1, 1 << 30):
        with pytest.raises(ValueError, match="slots"):
            FlightTable.create(tmp_path / "x.flight", new_epoch(), slots)
    with pytest.raises(ValueError, match="epoch"):
        FlightTable.create(tmp_path / "x.flight", "short", 1)
    with pytest.raises(FileExistsError):
        FlightTable.create(table.path, new_epoch(), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["w.flight"]


def test_closing_keeps_the_file_only_for_calls_in_flight(tmp_path: Path) -> None:
    quiet = FlightTable.create(tmp_path / "quiet.flight", new_epoch(), 2)
    quiet.release(quiet.claim(1, 1, b""))
    quiet.close()
    quiet.close()
    busy = FlightTable.create(tmp_path / "busy.flight", new_epoch(), 2)
    busy.claim(1, 1, b"")
    busy.close()
    assert [path.name for path in tmp_path.iterdir()] == ["busy.flight"]
    assert not peek(tmp_path / "busy.flight").alive
    assert (busy.in_flight, busy.slots, busy.generation) == (0, 0, 0)
    with pytest.raises(ValueError, match="closed"):
        busy.claim(2, 2, b"")
    with pytest.raises(ValueError, match="closed"):
        busy.generation = 1


def test_the_disk_space_is_taken_at_once(table: FlightTable) -> None:
    stat = os.stat(table.path)
    assert stat.st_size == HEADER_BYTES + 4 * SLOT_BYTES
    assert stat.st_blocks * 512 >= stat.st_size
    assert stat.st_mode & 0o777 == 0o600


@pytest.mark.parametrize("at", [16, 17, 24, 32, 128, 200])
def test_a_slot_with_a_wrong_byte_is_told_from_the_others(table: FlightTable, at: int) -> None:
    for n in (1, 2, 3):
        table.claim(n, n, fit_note(note()))
    path = killed(table)
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + SLOT_BYTES + at] ^= 1
    path.write_bytes(data)
    dead = abandoned(path)
    assert dead is not None
    with dead:
        calls, unreadable = dead.calls()
    assert ([call.n for call in calls], unreadable) == ([1, 3], 1)


@pytest.mark.parametrize("content", [b"", b"FGFLIGHT", bytes(8192), b"FGFLIGHT" + b"\xff" * 5000])
def test_another_file_is_no_table(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.flight"
    path.write_bytes(content)
    with pytest.raises(FlightError):
        peek(path)
    with pytest.raises(FileNotFoundError):
        peek(tmp_path / "absent")


free_text = st.text(max_size=300)


@given(
    tags=st.dictionaries(st.text(max_size=64), st.text(max_size=128), max_size=32),
    tools=st.lists(st.text(max_size=64), max_size=200).map(tuple),
    client=st.tuples(*[free_text] * 8),
    ids=st.tuples(*[st.text(st.characters(max_codepoint=127), max_size=128)] * 5),
)
def test_any_note_fits_and_names_its_principal(
    tags: dict[str, str], tools: tuple[str, ...], client: tuple[str, ...], ids: tuple[str, ...]
) -> None:
    plain = note(
        **dict(zip(("org", "team", "user", "key", "cost_center"), ids, strict=True)),
        **dict(
            zip(
                (
                    "session",
                    "agent",
                    "parent_agent",
                    "request_class",
                    "model_asked",
                    "model_used",
                    "endpoint",
                    "routed",
                ),
                client,
                strict=True,
            )
        ),
        tags=tags,
        tools=tools,
        price=tuple([1 << 62] * 17),
        cells=tuple([1 << 62] * 16),
        bound_nano=1 << 62,
        policy="p" * 64,
    )
    blob = fit_note(plain)
    assert len(blob) <= NOTE_BYTES
    kept = msgspec.msgpack.decode(blob, type=FlightNote)
    assert (kept.org, kept.team, kept.user, kept.key, kept.cost_center) == ids
    assert (kept.price, kept.bound_nano, kept.system_sha256) == (plain.price, plain.bound_nano, plain.system_sha256)
    whole = msgspec.msgpack.encode(plain)
    assert kept == plain if len(whole) <= NOTE_BYTES else kept.tools == ()
    assert kept.tags in (tags, {})
    for name in ("session", "agent", "model_asked", "endpoint"):
        assert getattr(plain, name).startswith(getattr(kept, name))


def test_the_note_of_a_call_is_the_struct_in_its_order() -> None:
    whole = note()
    plain = msgspec.structs.asdict(whole)
    snapshot = Snapshot.__new__(Snapshot)
    snapshot.version = whole.policy
    call = Call(1, "0123456789ab", snapshot, "messages", cast(Any, None), None)
    who = {name: plain[name] for name in whole.__struct_fields__[:6]}
    call.principal = KeyRow(digest=b"", models=(), not_after_ns=0, **who)
    call.request = read_request(asked(whole, list(whole.tools)))
    call.head = read_head(
        [
            ("x-claude-code-agent-id", "a"),
            ("x-claude-code-parent-agent-id", "p"),
            ("x-claude-code-request-class", "main"),
        ]
    )
    call.endpoint = cast(Any, SimpleNamespace(name=whole.endpoint, kind=whole.provider))
    call.price, call.session, call.system_sha256 = PRICE, whole.session, whole.system_sha256
    call.body, call.bound_nano = bytes(whole.request_bytes), whole.bound_nano
    kept = msgspec.msgpack.decode(encode_note(call), type=FlightNote)
    assert kept == note(agent="a", parent_agent="p")
    call.endpoint = call.price = None
    call.request = read_request(asked(whole, [f"tool-{n}" for n in range(1000)]))
    kept = msgspec.msgpack.decode(encode_note(call), type=FlightNote)
    assert kept == note(agent="a", parent_agent="p", endpoint="", provider="", price=(), tools=())


def asked(whole: FlightNote, tools: list[str]) -> bytes:
    """A request for the model of `whole`, with these tools."""
    named = [{"name": name, "input_schema": {}} for name in tools]
    request = {"model": whole.model_used, "stream": whole.stream, "tools": named, "messages": [], "max_tokens": 1}
    return json.dumps(request).encode()
