"""What a budget selects and allows: levels, tags, model families, stages and increases."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.budgets import (
    DEFAULT_STAGES,
    PPM,
    ceiling_nano,
    live_increases_nano,
    seat,
    selected,
    selects_model,
    stage_at,
    stage_nano,
)
from fastgate.snapshot import BudgetRow, KeyRow, Raise

NOW_NS = 1_000_000
WHO = KeyRow(b"", "laptop", "alice", "platform", "acme", "CC-1", {"project": "x"}, (), 0)
CI = KeyRow(b"", "ci", "", "platform", "acme", "", {}, (), 0)
ROW = BudgetRow(
    id="b",
    org="acme",
    level="org",
    of="acme",
    per_seat=False,
    models=(),
    period="month",
    rolling_h=0,
    tz="UTC",
    start_day=1,
    usd_nano=100 * 10**9,
    hard=True,
    stages=DEFAULT_STAGES,
    increases=(),
    created_ns=1,
)


@pytest.mark.parametrize(
    ("level", "of", "found"),
    [
        ("org", "acme", "acme"),
        ("org", "other", None),
        ("team", "platform", "platform"),
        ("team", "alice", None),
        ("user", "alice", "alice"),
        ("user", "", None),
        ("key", "laptop", "laptop"),
        ("key", "ci", None),
        ("tag", "project=x", "x"),
        ("tag", "project=y", None),
        ("tag", "project=*", "x"),
        ("tag", "branch=*", None),
        ("tag", "session=*", "s-1"),
        ("tag", "session=s-1", "s-1"),
        ("tag", "cost_center=CC-1", "CC-1"),
        ("tag", "cost_center=CC-2", None),
    ],
)
def test_a_selector_takes_in_what_it_names(level, of, found):
    assert selected(level, of, "acme", WHO, WHO.tags, "s-1") == found


def test_a_tag_is_one_of_its_org_and_an_absent_one_selects_nothing():
    assert selected("tag", "project=x", "other", WHO, WHO.tags, "") is None
    assert selected("tag", "session=*", "acme", WHO, WHO.tags, "") is None
    assert selected("tag", "cost_center=*", "acme", CI, CI.tags, "") is None
    assert selected("user", "alice", "acme", CI, CI.tags, "") is None


def test_a_seat_is_the_users_and_a_service_keys_its_own():
    assert seat(WHO) == "alice"
    assert seat(CI) == "key:ci"


@pytest.mark.parametrize(
    ("models", "model", "taken"),
    [
        ((), "anything", True),
        (("opus",), "claude-opus-4-5", True),
        (("opus",), "claude-3-opus-20240229", True),
        (("opus",), "us.anthropic.claude-opus-4-5-v1:0", True),
        (("opus",), "claude-sonnet-4-5", False),
        (("opus",), "claude-opusculum-1", False),
        (("haiku", "opus"), "claude-opus-4-5", True),
        (("claude-opus-4-5",), "claude-opus-4-5", True),
        (("claude-opus-4-5",), "claude-opus-4-5-20250929", False),
        (("claude-opus-4-*",), "claude-opus-4-5", True),
        (("claude-opus-4-*",), "claude-opus-5", False),
    ],
)
def test_models_are_families_ids_or_globs(models, model, taken):
    assert selects_model(models, model) is taken


def test_a_ceiling_is_the_pause_stage_and_what_live_increases_add():
    assert ceiling_nano(ROW, NOW_NS, "") == 110 * 10**9
    without = msgspec.structs.replace(ROW, stages=((800_000, "alert"),))
    assert ceiling_nano(without, NOW_NS, "") == 100 * 10**9
    raised = msgspec.structs.replace(ROW, increases=(Raise(5 * 10**9, NOW_NS + 1), Raise(7 * 10**9, NOW_NS)))
    assert live_increases_nano(raised, NOW_NS, "") == 5 * 10**9
    assert ceiling_nano(raised, NOW_NS, "") == 115 * 10**9
    assert ceiling_nano(raised, NOW_NS + 1, "") == 110 * 10**9
    assert ceiling_nano(msgspec.structs.replace(raised, hard=False), NOW_NS, "") is None


@given(st.integers(1, 10**18), st.integers(1, 10 * PPM), st.integers(0, 2**62))
def test_the_stage_reached_is_the_last_whose_spend_is_not_below(usd_nano, at_ppm, settled_nano):
    row = msgspec.structs.replace(ROW, usd_nano=usd_nano, stages=((at_ppm, "alert"), (at_ppm + 1, "pause")))
    reached = stage_at(row, settled_nano, NOW_NS, "")
    assert (reached is not None) == (settled_nano >= stage_nano(row, at_ppm, NOW_NS, ""))
    assert (reached == "pause") == (settled_nano >= ceiling_nano(row, NOW_NS, ""))


CELLS = ("", "alice", "bob", "key:ci")
RAISES = st.lists(
    st.builds(Raise, st.integers(1, 10**15), st.integers(NOW_NS - 2, NOW_NS + 2), st.sampled_from(CELLS)), max_size=8
)


@given(RAISES, st.integers(1, 10**15), st.sampled_from(CELLS), st.integers(NOW_NS - 3, NOW_NS + 3))
def test_an_increase_raises_its_cell_or_every_cell_while_it_lasts(raises, usd_nano, cell, at_ns):
    """Against a slow model: who has what is written down for each cell, one increase after another."""
    row = msgspec.structs.replace(ROW, usd_nano=usd_nano, per_seat=True, increases=tuple(raises))
    added = dict.fromkeys(CELLS, 0)
    for nano, ends_ns, whose in raises:
        for each in CELLS:
            if at_ns < ends_ns and (whose == "" or whose == each):
                added[each] += nano
    assert live_increases_nano(row, at_ns, cell) == added[cell]
    assert ceiling_nano(row, at_ns, cell) == usd_nano * 11 // 10 + added[cell]
    for at_ppm, _ in row.stages:
        assert stage_nano(row, at_ppm, at_ns, cell) == usd_nano * at_ppm // PPM + added[cell]
        spent = stage_nano(row, at_ppm, at_ns, cell)
        assert stage_at(row, spent, at_ns, cell) is not None
