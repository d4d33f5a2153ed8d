"""Sightings in the usage table: found by mark and path, page by page, and gone with their calls."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from fastgate.control.errors import OperationError
from fastgate.control.sightings import sighting_rows
from fastgate.control.usage import DAY_NS
from fastgate.guards.sightings import digests, key_of, mark_of
from fastgate.record import Sighting
from tests.unit.control.test_spend_reports import Books

KEY = key_of(b"p" * 32)
START_NS = 1_780_000_000 * 1_000_000_000


def seen(text: bytes, path: str = "") -> Sighting:
    return Sighting(3, path, b"".join(mark_of(KEY, digest) for digest in digests(text)))


def sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def test_calls_are_found_by_digest_and_by_path_newest_first(tmp_path: Path) -> None:
    changes = [
        {"at_ns": START_NS + n, "user": f"u{n}", "sightings": (seen(b"a\n", "/src/a_b.py"), seen(b"x%d" % n))}
        for n in range(5)
    ]
    with Books(tmp_path, changes) as books:
        for asked in ({"sha256": sha256(b"a\n")}, {"sha256": sha256(b"a").upper()}, {"path": "src/a_b.py"}):
            page = books.calls.seen(**{"sha256": "", "path": ""} | asked, limit=3, cursor=None)
            rest = books.calls.seen(**{"sha256": "", "path": ""} | asked, limit=3, cursor=page.next)
            assert [item.user for item in (*page.items, *rest.items)] == ["u4", "u3", "u2", "u1", "u0"]
            assert rest.next is None and {item.kind for item in page.items} == {"tool_result"}
        assert [item.user for item in books.calls.seen(sha256(b"x2"), "", 9, None).items] == ["u2"]
        for nothing in ("aXb.py", "_b.py", "%", "/src"):
            assert books.calls.seen("", nothing, 9, None).items == [], nothing
        for wrong in (("", ""), (sha256(b""), "/x"), ("12ab", "")):
            with pytest.raises(OperationError):
                books.calls.seen(*wrong, 9, None)


def test_sightings_go_with_their_calls(tmp_path: Path) -> None:
    changes = [{"at_ns": START_NS + n * DAY_NS, "sightings": (seen(b"a", "/a"),)} for n in range(4)]
    with Books(tmp_path, changes) as books:
        assert books.table.prune(START_NS + 5 * DAY_NS, 3) == 2
        assert len(books.calls.seen("", "/a", 9, None).items) == 2


def test_a_mark_that_is_cut_off_is_left_out() -> None:
    shown = msgspec.msgpack.encode([Sighting(3, "", b"m" * 40), Sighting(1, "/a", b"n" * 16)])
    assert sighting_rows(7, 8, shown) == [
        (7, 8, 0, b"m" * 16, 3, ""),
        (7, 8, 1, b"m" * 16, 3, ""),
        (7, 8, 2, b"n" * 16, 1, "/a"),
    ]
