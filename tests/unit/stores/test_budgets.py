"""Budgets, increases and pauses in SQLite: what may change, what is refused, and that every change is logged."""

from decimal import Decimal

import msgspec
import pytest

from fastgate import clock
from fastgate.budgets import DEFAULT_STAGES
from fastgate.directory import CostCenter, Directory, Key, Org, Rates, Team, User
from fastgate.directory_budgets import Budget, Stage
from fastgate.refs import Secret
from fastgate.state import StateDir
from fastgate.stores import increases as module
from fastgate.stores.embedded import open_directory
from fastgate.stores.ports import IncreaseDraft, KeyDraft, StoreError
from fastgate.times import NS

BASE = Directory(
    orgs=(Org(id="acme"),),
    cost_centers=(CostCenter(id="C1"),),
    teams=(Team(id="t", org="acme"),),
    users=(User(id="alice", team="t"),),
    keys=(Key(id="laptop", user="alice", secret=Secret("a-secret-of-another-gateway")),),
)
MONTH = Budget(id="m", level="user", of="alice", period="month", usd=Decimal("100.5"))


@pytest.fixture
def store(tmp_path):
    opened = open_directory(StateDir(tmp_path / "state"), "a test")
    opened.apply_directory(BASE, "tester")
    yield opened
    opened.close()


def changed(budget, **fields):
    return msgspec.structs.replace(budget, **fields)


def logged(store):
    return [(event.change.action, event.change.kind, event.change.id) for event in store.changes(after=5)]


def with_budgets(*budgets):
    return msgspec.structs.replace(BASE, budgets=budgets)


def test_a_budget_is_made_and_then_changed_and_every_row_says_so(store):
    view, changes = store.budgets.put(MONTH, "me")
    assert (view.origin, view.row.usd_nano, view.row.org, view.row.stages) == (
        "managed",
        100_500_000_000,
        "acme",
        DEFAULT_STAGES,
    )
    assert store.rows().budgets == [view.row]
    assert store.budgets.put(MONTH, "me")[1] == []
    cheaper = changed(MONTH, usd=Decimal(50), mode="soft", stages=(Stage(at=Decimal(1), do="pause"),))
    after, changes = store.budgets.put(cheaper, "me")
    assert changes[0].before == {
        "usd_nano": 100_500_000_000,
        "mode": "hard",
        "stages": [list(s) for s in DEFAULT_STAGES],
    }
    assert (after.row.usd_nano, after.row.hard, after.row.stages) == (50 * NS, False, ((1_000_000, "pause"),))
    assert after.row.created_ns == view.row.created_ns
    store.budgets.remove("m", "me")
    assert store.rows().budgets == []
    assert logged(store) == [("create", "budget", "m"), ("update", "budget", "m"), ("remove", "budget", "m")]


def test_a_dry_run_tells_and_changes_nothing(store):
    view, changes = store.budgets.put(MONTH, "me", dry_run=True)
    assert view.row.usd_nano == 100_500_000_000
    assert [change.action for change in changes] == ["create"]
    assert store.rows().budgets == []
    assert logged(store) == []


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"level": "key", "of": "laptop"}, "level, subject"),
        ({"models": ("opus",)}, "models"),
        ({"period": "week"}, "period"),
        ({"tz": "Europe/Berlin"}, "time zone"),
        ({"start_day": 2}, "start day"),
    ],
)
def test_what_a_budget_counts_never_changes_under_its_id(store, fields, word):
    store.budgets.put(MONTH, "me")
    with pytest.raises(StoreError, match=f"budget m would change its {word}, .* make a new budget with another id"):
        store.budgets.put(changed(MONTH, **fields), "me")
    store.apply_directory(with_budgets(changed(MONTH, id="declared")), "me")
    with pytest.raises(StoreError, match=f"budget declared would change its {word}, "):
        store.apply_directory(with_budgets(changed(MONTH, id="declared", **fields)), "me")


def test_a_budget_made_again_is_another_one(store):
    first = store.budgets.put(MONTH, "me")[0].row
    store.budgets.remove("m", "me")
    again = store.budgets.put(changed(MONTH, period="day"), "me")[0].row
    assert again.created_ns > first.created_ns


def test_declared_budgets_come_change_and_go_with_the_file(store):
    tag = Budget(id="s", level="tag", of="session=*", period="total", usd=Decimal(4))
    store.apply_directory(with_budgets(MONTH, tag), "me")
    assert [(row.id, row.level, row.org) for row in store.rows().budgets] == [
        ("m", "user", "acme"),
        ("s", "tag", "acme"),
    ]
    created = store.rows().budgets[0].created_ns
    assert store.apply_directory(with_budgets(MONTH, tag), "me") == []
    store.apply_directory(with_budgets(changed(MONTH, usd=Decimal(7))), "me")
    [row] = store.rows().budgets
    assert (row.usd_nano, row.created_ns) == (7 * NS, created)
    for attempt in (lambda: store.budgets.put(MONTH, "me"), lambda: store.budgets.remove("m", "me")):
        with pytest.raises(StoreError, match=r"declared in directory\.yaml"):
            attempt()
    assert [kind for _, kind, _ in logged(store)] == ["budget"] * 4


def test_what_a_managed_budget_is_of_cannot_vanish(store):
    store.budgets.put(MONTH, "me")
    with pytest.raises(StoreError, match="user alice is no longer declared, but budget m is of it"):
        store.apply_directory(msgspec.structs.replace(BASE, users=(), keys=()), "me")
    with pytest.raises(StoreError, match="budget m was made through the command line or the API"):
        store.apply_directory(with_budgets(MONTH), "me")


def test_a_declared_budget_may_be_of_a_key_made_by_command(store):
    of_key = changed(MONTH, level="key", of="made")
    with pytest.raises(StoreError, match="budget m is of key made, and there is no such key"):
        store.apply_directory(with_budgets(of_key), "me")
    store.keys_create(KeyDraft(id="made", user="alice"), "me")
    store.apply_directory(with_budgets(of_key), "me")
    assert store.rows().budgets[0].org == "acme"


@pytest.mark.parametrize(
    ("level", "of", "wrong"),
    [
        ("org", "nobody", "there is no org nobody"),
        ("team", "alice", "there is no team alice"),
        ("key", "other", "there is no key other"),
        ("tag", "cost_center=C2", "there is no cost centre C2"),
    ],
)
def test_a_budget_is_of_something_that_exists(store, level, of, wrong):
    with pytest.raises(StoreError, match=wrong):
        store.budgets.put(changed(MONTH, level=level, of=of), "me")


def test_a_tag_needs_its_org_named_where_there_are_several(store):
    two = msgspec.structs.replace(BASE, orgs=(*BASE.orgs, Org(id="other")))
    store.apply_directory(two, "me")
    tag = changed(MONTH, level="tag", of="a=b")
    with pytest.raises(StoreError, match="name the org"):
        store.budgets.put(tag, "me")
    assert store.budgets.put(changed(tag, org="other"), "me")[0].row.org == "other"


def test_listings_come_in_pages(store):
    for name in "cab":
        store.budgets.put(changed(MONTH, id=name), "me")
    first, after = store.budgets.page(limit=2)
    assert ([view.row.id for view in first], after) == (["a", "b"], "b")
    assert [view.row.id for view in store.budgets.page("b", 2)[0]] == ["c"]


def draft(**fields):
    return msgspec.structs.replace(IncreaseDraft("m", 5 * NS, clock.wall_ns() + 60 * NS, "a release"), **fields)


def test_an_increase_is_asked_for_granted_and_ended(store):
    store.budgets.put(MONTH, "me")
    asked = store.budgets.request(draft(), "dev", approve=False)
    assert (asked.state, asked.requested_by, asked.decided_by) == ("requested", "dev", "")
    assert store.rows().budgets[0].increases == ()
    granted = store.budgets.decide(asked.id, "approve", "boss")
    assert (granted.state, granted.decided_by, granted.reason) == ("approved", "boss", "a release")
    assert store.rows().budgets[0].increases == ((5 * NS, asked.not_after_ns, ""),)
    with pytest.raises(StoreError, match="is approved, not requested"):
        store.budgets.decide(asked.id, "deny", "boss")
    assert store.budgets.decide(asked.id, "end", "boss").state == "ended"
    assert store.rows().budgets[0].increases == ()
    assert logged(store)[1:] == [(action, "increase", asked.id) for action in ("request", "approve", "end")]


def test_an_increase_may_be_denied_or_granted_at_once(store):
    store.budgets.put(MONTH, "me")
    denied = store.budgets.decide(store.budgets.request(draft(), "dev", approve=False).id, "deny", "boss")
    assert denied.state == "denied"
    at_once = store.budgets.request(draft(), "boss", approve=True)
    assert (at_once.state, at_once.decided_by) == ("approved", "boss")
    assert {view.id for view in store.budgets.increases("m")[0]} == {denied.id, at_once.id}
    assert store.budgets.increases("other")[0] == []
    store.budgets.remove("m", "me")
    assert store.budgets.increases()[0] == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"budget": "none"}, "there is no budget none"),
        ({"amount_nano": 0}, "must be more than 0"),
        ({"amount_nano": 10**17}, "must be more than 0 and at most"),
        ({"not_after_ns": 1}, "must end in the future"),
        ({"not_after_ns": clock.wall_ns() + 400 * 86400 * NS}, "within a year"),
        ({"reason": ""}, "a reason is needed"),
        ({"reason": "two\nlines"}, "a reason is needed"),
    ],
)
def test_increases_that_make_no_sense_are_refused(store, fields, wrong):
    store.budgets.put(MONTH, "me")
    with pytest.raises(StoreError, match=wrong):
        store.budgets.request(draft(**fields), "dev", approve=True)
    assert store.budgets.increases()[0] == []


def test_an_increase_of_one_seat_needs_a_seat_that_is_there(store):
    store.budgets.put(MONTH, "me")
    store.budgets.put(changed(MONTH, id="seats", level="team", of="t", per_seat=True), "me")
    store.budgets.put(changed(MONTH, id="each", level="tag", of="project=*", org="acme"), "me")
    store.budgets.put(changed(MONTH, id="both", level="tag", of="project=*", org="acme", per_seat=True), "me")
    taken = [("seats", "alice"), ("seats", "key:laptop"), ("each", "any value"), ("both", "x alice"), ("m", "")]
    for budget, cell in taken:
        store.budgets.request(draft(budget=budget, cell=cell), "boss", approve=True)
    wrong = [
        ("m", "alice", "is one for all"),
        ("seats", "bob", "no seat bob in org acme: there is no user bob"),
        ("seats", "key:none", "there is no key none"),
        ("seats", "x alice", "has no seat x alice"),
        ("both", "alice", "is written as VALUE SEAT"),
        ("both", "x bob", "there is no user bob"),
    ]
    for budget, cell, told in wrong:
        with pytest.raises(StoreError, match=told):
            store.budgets.request(draft(budget=budget, cell=cell), "boss", approve=True)
    found = {row.id: [(each.nano, each.cell) for each in row.increases] for row in store.rows().budgets}
    assert found["seats"] == [(5 * NS, "alice"), (5 * NS, "key:laptop")]
    assert (found["each"], found["both"]) == ([(5 * NS, "any value")], [(5 * NS, "x alice")])


def test_live_increases_are_bounded_and_one_that_is_over_cannot_be_granted(store, monkeypatch):
    store.budgets.put(MONTH, "me")
    monkeypatch.setattr(module, "MAX_LIVE_INCREASES", 1)
    late = store.budgets.request(draft(not_after_ns=clock.wall_ns() + 20_000_000), "dev", approve=False)
    store.budgets.request(draft(), "dev", approve=True)
    with pytest.raises(StoreError, match="budget m has 1 increases"):
        store.budgets.request(draft(), "dev", approve=True)
    while clock.wall_ns() <= late.not_after_ns:
        pass
    with pytest.raises(StoreError, match="would have ended already"):
        store.budgets.decide(late.id, "approve", "boss")


def test_anything_is_paused_and_resumed_by_hand(store):
    for level, of in (("org", "acme"), ("team", "t"), ("user", "alice"), ("key", "laptop"), ("tag", "a=b")):
        paused = store.budgets.pause(level, of, "", "runaway", 0, "me")
        assert store.budgets.pauses() == [paused]
        assert store.rows().pauses == [paused]
        assert (paused.by, paused.reason, paused.org) == ("me", "runaway", "acme" if level == "tag" else "")
        store.budgets.resume(level, of, "", "me")
        assert store.rows().pauses == []
    assert logged(store)[:2] == [("create", "pause", "org acme"), ("remove", "pause", "org acme")]


def test_a_second_pause_replaces_the_first_and_the_log_has_both(store):
    store.budgets.pause("user", "alice", "", "one", 0, "me")
    until_ns = clock.wall_ns() + 3600 * NS
    store.budgets.pause("user", "alice", "", "two", until_ns, "you")
    assert [(row.reason, row.until_ns, row.by) for row in store.budgets.pauses()] == [("two", until_ns, "you")]
    last = store.changes(after=6)[0].change
    assert (last.action, last.before) == ("update", {"reason": "one", "by": "me", "until_ns": 0})


@pytest.mark.parametrize(
    ("level", "of", "reason", "until_ns", "wrong"),
    [
        ("user", "bob", "why", 0, "there is no user bob"),
        ("user", "alice", " ", 0, "a reason is needed"),
        ("user", "alice", "why", 1, "must end in the future"),
    ],
)
def test_pauses_that_make_no_sense_are_refused(store, level, of, reason, until_ns, wrong):
    with pytest.raises(StoreError, match=wrong):
        store.budgets.pause(level, of, "", reason, until_ns, "me")
    with pytest.raises(StoreError, match="is not paused by hand"):
        store.budgets.resume(level, of, "", "me")


def test_rate_limits_are_kept_for_keys_users_and_teams_and_0_is_not_nothing(store):
    limited = msgspec.structs.replace(
        BASE,
        teams=(Team(id="t", org="acme", parallel_calls=5),),
        users=(User(id="alice", team="t", requests_per_minute=0),),
        keys=(msgspec.structs.replace(BASE.keys[0], tokens_per_minute=7),),
    )
    store.apply_directory(limited, "me")
    assert store.apply_directory(limited, "me") == []
    rows = [("key", "laptop", None, 7, None), ("user", "alice", 0, None, None), ("team", "t", None, None, 5)]
    assert [msgspec.structs.astuple(row) for row in store.rows().rates] == rows
    rates = Rates(requests_per_minute=3)
    assert store.keys_create(KeyDraft(id="made", user="alice", rates=rates), "me").key.rates == rates
    with pytest.raises(StoreError, match="parallel_calls: must be between 0 and 65535"):
        store.keys_create(KeyDraft(user="alice", rates=Rates(parallel_calls=65536)), "me")
    store.apply_directory(BASE, "me")
    assert [row.of for row in store.rows().rates] == ["made"]
