"""Tags that a client sets: only open ones, the last of several, never more than a record takes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from fastgate.errors import GatewayError
from fastgate.gateway.rooms import identity
from fastgate.snapshot import Snapshot
from fastgate.tags import HEADER, MAX_TAGS, given, tag_value_problem
from tests.support.plane import key_row
from tests.unit.control.test_publish import made

NAMES = st.sampled_from(["a", "b", "session", "cost_center", "c-1"])
VALUES = st.one_of(st.sampled_from(["x", " y ", "", "a\tb"]), st.text(max_size=4))
OWN = st.lists(
    st.tuples(st.one_of(NAMES.map(lambda name: HEADER + name), st.just("x-fastgate-cache")), VALUES), max_size=6
)


@drawn(OWN, st.lists(NAMES, max_size=3))
def test_what_a_client_may_set_is_what_is_open(own: list[tuple[str, str]], names: list[str]) -> None:
    """The slow model: a dictionary that each header is written into, in their order."""
    wanted = {name.removeprefix(HEADER): value.strip() for name, value in own if name.removeprefix(HEADER) in names}
    wrong = [value for name, value in own if name.removeprefix(HEADER) in names and tag_value_problem(value.strip())]
    if wrong:
        with pytest.raises(ValueError, match="printable characters"):
            given(own, names, {})
    else:
        assert dict(given(own, names, {})) == wanted


def test_a_call_has_no_more_tags_than_a_record_takes() -> None:
    names = [f"t{n}" for n in range(MAX_TAGS + 1)]
    own = [(HEADER + name, "x") for name in names]
    assert len(given(own[:-1], names, {})) == MAX_TAGS
    assert len(given(own[:-1], names, {"t0": "its own"})) == MAX_TAGS - 1
    for others in ({}, {"t0": "its own"}):
        with pytest.raises(ValueError, match=f"more than {MAX_TAGS} tags"):
            given(own, names, others)


def test_a_tag_that_the_key_has_is_not_its_clients_to_change() -> None:
    assert given([(HEADER + "env", "dev"), (HEADER + "a", "1")], ["env", "a"], {"env": "prod"}) == (("a", "1"),)


def test_calls_with_equal_tags_are_of_one_principal_and_what_is_remembered_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity, "TAGGED_KEPT", 3)
    snapshot = Snapshot(made(1))
    row = key_row(b"pepper", "a-secret-of-the-tests-0123456789", open_tags=("a", "b"))
    one = identity.tagged(snapshot, row, [(HEADER + "a", "1"), (HEADER + "b", "2")])
    assert one is identity.tagged(snapshot, row, [(HEADER + "b", "2"), (HEADER + "a", "1")])
    assert (one.tags, one.given) == ({**row.tags, "a": "1", "b": "2"}, (("a", "1"), ("b", "2")))
    assert msgspec.structs.replace(one, tags=row.tags, given=()) == row
    assert identity.tagged(snapshot, row, [("x-fastgate-cache", "no-store")]) is row
    for n in range(10):
        identity.tagged(snapshot, row, [(HEADER + "a", str(n))])
        assert len(snapshot.tagged) <= 3
    with pytest.raises(GatewayError, match="x-fastgate-tag-a: must be"):
        identity.tagged(snapshot, row, [(HEADER + "a", "")])
