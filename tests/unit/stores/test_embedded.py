"""The directory in SQLite: applying is idempotent and leaves managed rows alone; keys live, rotate and die."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgate import clock
from fastgate.directory import CostCenter, Directory, Key, Org, Team, User
from fastgate.keys import check_form, digest, load_pepper
from fastgate.refs import Secret
from fastgate.state import StateBusyError, StateDir
from fastgate.stores.embedded import EmbeddedDirectory, open_directory
from fastgate.stores.ports import Change, KeyDraft, StoreError

SECOND_NS = 1_000_000_000


@pytest.fixture
def state(tmp_path):
    return StateDir(tmp_path / "state")


@pytest.fixture
def store(state):
    opened = open_directory(state, "a test")
    yield opened
    opened.close()


def directory(**parts):
    whole = {
        "orgs": (Org(id="acme"),),
        "cost_centers": (CostCenter(id="C1"), CostCenter(id="C2"), CostCenter(id="C3")),
        "teams": (Team(id="t", org="acme", cost_center="C1", open_tags=("branch",)), Team(id="bare", org="acme")),
        "users": (User(id="alice", team="t"), User(id="bob", team="t", cost_center="C2")),
        "keys": (key("a", user="alice"), key("b", user="bob"), key("c", user="bob", cost_center="C3")),
    }
    return Directory(**{**whole, **parts})


def key(key_id, secret="", **fields):
    return Key(id=key_id, secret=Secret(secret or f"the-secret-of-key-number-{key_id}"), **fields)


def live(store):
    return {row.digest: row for row in store.rows().secrets if not row.revoked_ns}


def accepts(store, state, secret):
    row = live(store).get(digest(load_pepper(state.pepper), secret))
    return row is not None and not 0 < row.not_after_ns <= clock.wall_ns()


def test_a_first_apply_creates_in_the_order_of_reference(store, state):
    changes = store.apply_directory(directory(), "tester")
    assert [(change.action, change.kind, change.id) for change in changes] == [
        ("create", kind, name)
        for kind, names in (
            ("org", ["acme"]),
            ("cost_center", ["C1", "C2", "C3"]),
            ("team", ["t", "bare"]),
            ("user", ["alice", "bob"]),
            ("key", ["a", "b", "c"]),
        )
        for name in names
    ]
    assert accepts(store, state, "the-secret-of-key-number-a")
    assert "the-secret" not in repr(changes)


def test_what_a_key_inherits(store):
    store.apply_directory(directory(), "tester")
    found = {row.key: (row.user, row.team, row.org, row.cost_center, row.open_tags) for row in store.rows().secrets}
    assert found == {
        "a": ("alice", "t", "acme", "C1", ["branch"]),
        "b": ("bob", "t", "acme", "C2", ["branch"]),
        "c": ("bob", "t", "acme", "C3", ["branch"]),
    }
    service = store.keys_create(KeyDraft(team="bare", open_tags=["job"]), "tester").key
    assert (service.user, service.team, service.org, service.cost_center) == ("", "bare", "acme", "")
    assert service.open_tags == ["job"]
    assert service.cache_overrides


def test_a_key_may_be_without_cache_overrides(store):
    store.apply_directory(directory(keys=(key("a", user="alice", cache_overrides=False),)), "tester")
    made = store.keys_create(KeyDraft(team="t", cache_overrides=False), "tester").key
    assert not made.cache_overrides
    assert [row.cache_overrides for row in store.rows().secrets] == [False, False]


names = st.sampled_from("abcd")


@st.composite
def directories(draw):
    teams = draw(st.lists(names, unique=True, max_size=3))
    users = draw(st.lists(names, unique=True, max_size=3)) if teams else []
    keys = draw(st.lists(names, unique=True, max_size=4)) if users else []
    secrets = draw(st.permutations([f"one-of-a-few-secrets-{number}" for number in range(6)]))
    tags = st.dictionaries(names, names, max_size=2)
    centers = st.none() | st.just("C")
    return Directory(
        orgs=(Org(id="o", name=draw(names)),) if teams else (),
        cost_centers=(CostCenter(id="C"),),
        teams=tuple(Team(id=team, org="o", cost_center=draw(centers)) for team in teams),
        users=tuple(User(id=user, team=draw(st.sampled_from(teams)), cost_center=draw(centers)) for user in users),
        keys=tuple(
            key(
                name,
                secrets[index],
                **draw(
                    st.sampled_from([{"user": user} for user in users]) | st.sampled_from([{"team": t} for t in teams])
                ),
                tags=draw(tags),
            )
            for index, name in enumerate(keys)
        ),
    )


def contents(store):
    """All that a directory decides, by table."""
    with closing(sqlite3.connect(store._engine.url.database)) as connection:
        read = {table: f"SELECT * FROM {table} ORDER BY 1" for table in ("orgs", "cost_centers", "teams", "users")}
        read["keys"] = (
            "SELECT id, user_id, team_id, cost_center_id, tags, models, expires_ns, origin FROM keys ORDER BY 1"
        )
        read["key_secrets"] = "SELECT digest, key_id FROM key_secrets ORDER BY 1"
        return {table: connection.execute(query).fetchall() for table, query in read.items()}


@settings(max_examples=25, deadline=None)
@given(st.lists(directories(), min_size=1, max_size=4))
def test_applying_depends_on_the_last_directory_only_and_twice_is_once(tmp_path_factory, series):
    root = tmp_path_factory.mktemp("apply")
    walked, straight = (StateDir(root / name).create() for name in ("walked", "straight"))
    walked.pepper.write_bytes(b"p" * 32)
    straight.pepper.write_bytes(b"p" * 32)
    one, other = open_directory(walked, "test"), open_directory(straight, "test")
    try:
        for step in series:
            planned = one.apply_directory(step, "t", dry_run=True)
            before = one.revision()
            assert one.apply_directory(step, "t") == planned
            assert one.revision() == before + len(planned)
            assert one.apply_directory(step, "t") == []
        other.apply_directory(series[-1], "t")
        assert contents(one) == contents(other)
    finally:
        one.close()
        other.close()


def test_a_dry_run_changes_nothing(store):
    assert len(store.apply_directory(directory(), "t", dry_run=True)) == 11
    assert (store.revision(), store.rows().secrets, store.changes()) == (0, [], [])


def test_what_vanishes_is_removed_and_logged(store):
    store.apply_directory(directory(), "t")
    changes = store.apply_directory(directory(keys=(), users=(User(id="alice", team="bare"),)), "someone")
    assert [(change.action, change.kind, change.id) for change in changes] == [
        ("update", "user", "alice"),
        ("remove", "key", "a"),
        ("remove", "key", "b"),
        ("remove", "key", "c"),
        ("remove", "user", "bob"),
    ]
    event = store.changes(after=11)[0]
    assert (event.actor, event.change) == (
        "someone",
        Change("update", "user", "alice", {"team_id": "t"}, {"team_id": "bare"}),
    )
    assert store.rows().secrets == []


def test_managed_keys_survive_every_apply(store, state):
    store.apply_directory(directory(), "t")
    issued = store.keys_create(KeyDraft(id="mine", user="alice", tags={"x": "y"}), "cli")
    store.apply_directory(directory(keys=()), "t")
    assert accepts(store, state, issued.secret)
    assert store.keys_show("mine").tags == {"x": "y"}
    with pytest.raises(StoreError, match="user alice is no longer declared, but key mine uses it") as caught:
        store.apply_directory(Directory(orgs=(Org(id="acme"),)), "t")
    assert caught.value.kind == "conflict"
    with pytest.raises(StoreError, match="key mine was made through the command line or the API"):
        store.apply_directory(directory(keys=(key("mine", user="alice"),)), "t")
    with pytest.raises(StoreError, match="key new declares the secret of key mine"):
        store.apply_directory(directory(keys=(key("new", issued.secret, user="alice"),)), "t")
    assert accepts(store, state, issued.secret)


def test_an_issued_key_is_wellformed_shown_once_and_stored_as_a_digest(store, state):
    store.apply_directory(directory(), "t")
    issued = store.keys_create(KeyDraft(user="alice", models=["claude-*"]), "cli")
    assert check_form(issued.secret) == "wellformed"
    assert issued.key.secrets[0].hint == issued.secret[:10]
    assert issued.key.origin == "managed" and issued.key.state == "active"
    assert issued.secret not in repr(issued)
    on_disk = b"".join(path.read_bytes() for path in state.path.glob("fastgate.sqlite*"))
    assert issued.secret.encode() not in on_disk
    assert digest(load_pepper(state.pepper), issued.secret) in on_disk


@pytest.mark.parametrize(
    ("draft", "kind", "message"),
    [
        (KeyDraft(), "refused", "needs a user, or a team"),
        (KeyDraft(user="alice", team="t"), "refused", "needs a user, or a team"),
        (KeyDraft(user="nobody"), "not_found", "there is no user nobody"),
        (KeyDraft(team="none"), "not_found", "there is no team none"),
        (KeyDraft(user="alice", cost_center="C9"), "not_found", "there is no cost center C9"),
        (KeyDraft(user="alice", id="a"), "conflict", "key a exists already"),
        (KeyDraft(user="alice", id="a b"), "refused", "id: must be"),
        (KeyDraft(user="alice", tags={"session": "x"}), "refused", "the tag session is reserved"),
        (KeyDraft(user="alice", tags={"a": ""}), "refused", "tag a: must be"),
        (KeyDraft(user="alice", models=["a b"]), "refused", "model a b: must be"),
        (KeyDraft(user="alice", open_tags=["A"]), "refused", "open tag A: must be"),
        (KeyDraft(user="alice", expires_ns=1), "refused", "expired from the start"),
    ],
)
def test_a_key_that_cannot_be_is_refused(store, draft, kind, message):
    store.apply_directory(directory(), "t")
    before = store.revision()
    with pytest.raises(StoreError, match=message) as caught:
        store.keys_create(draft, "cli")
    assert (caught.value.kind, store.revision()) == (kind, before)


def test_rotation_overlaps_and_then_ends(store, state, monkeypatch):
    store.apply_directory(directory(), "t")
    first = store.keys_create(KeyDraft(id="k", user="alice"), "cli").secret
    second = store.keys_rotate("k", 60, "cli").secret
    assert accepts(store, state, first) and accepts(store, state, second)
    third = store.keys_rotate("k", 3600, "cli")
    ends = [secret.not_after_ns for secret in third.key.secrets]
    assert ends[0] == 0 and len(ends) == 3 and ends[1] - ends[2] > 3500 * SECOND_NS  # the first keeps its earlier end
    now_ns = clock.wall_ns()
    monkeypatch.setattr(clock, "wall_ns", lambda: now_ns + 61 * SECOND_NS)
    assert not accepts(store, state, first)
    assert accepts(store, state, second) and accepts(store, state, third.secret)
    last = store.keys_rotate("k", 0, "cli")
    assert [accepts(store, state, secret) for secret in (first, second, third.secret, last.secret)] == [
        False,
        False,
        False,
        True,
    ]
    assert [secret.not_after_ns for secret in last.key.secrets] == [0]


def test_revocation_is_at_once_and_for_good(store, state):
    store.apply_directory(directory(), "t")
    secret = store.keys_create(KeyDraft(id="k", user="alice"), "cli").secret
    assert store.keys_revoke("k", "cli").state == "revoked"
    assert not accepts(store, state, secret)
    seen = store.revision()
    assert store.keys_revoke("k", "cli").state == "revoked"
    assert store.revision() == seen
    with pytest.raises(StoreError, match="key k is revoked; create another"):
        store.keys_rotate("k", 0, "cli")


def test_a_declared_key_can_be_revoked_and_comes_back_only_with_another_secret(store, state):
    store.apply_directory(directory(), "t")
    with pytest.raises(StoreError, match=r"declared in directory\.yaml; change its secret there"):
        store.keys_rotate("a", 0, "cli")
    store.keys_revoke("a", "cli")
    assert store.apply_directory(directory(), "t") == []
    assert not accepts(store, state, "the-secret-of-key-number-a")
    fresh = directory(keys=(key("a", "another-secret-of-this-key", user="alice"),))
    change = next(change for change in store.apply_directory(fresh, "t") if change.id == "a")
    assert change.after == {"secret": "replaced", "revoked_ns": 0}
    assert accepts(store, state, "another-secret-of-this-key")
    assert not accepts(store, state, "the-secret-of-key-number-a")


@settings(max_examples=10, deadline=None)
@given(limit=st.integers(1, 12))
def test_pages_give_every_key_once(tmp_path_factory, limit):
    store = open_directory(StateDir(tmp_path_factory.mktemp("pages")), "test")
    try:
        store.apply_directory(directory(), "t")
        for number in range(7):
            store.keys_create(KeyDraft(id=f"n{number}", user="alice"), "t")
        seen, after = [], ""
        while after is not None:
            page, after = store.keys_list(after, limit)
            assert len(page) <= limit
            seen += [view.id for view in page]
        assert seen == ["a", "b", "c", *(f"n{number}" for number in range(7))]
    finally:
        store.close()


def test_what_is_not_there_is_not_found(store):
    for operation in (
        lambda: store.keys_show("x"),
        lambda: store.keys_revoke("x", "t"),
        lambda: store.keys_rotate("x", 0, "t"),
    ):
        with pytest.raises(StoreError, match="there is no key x") as caught:
            operation()
        assert caught.value.kind == "not_found"


def test_one_writer_any_readers(store, state):
    store.apply_directory(directory(), "t")
    with pytest.raises(StateBusyError, match="a test"):
        open_directory(state, "another")
    reader = open_directory(state)
    assert len(reader.keys_list()[0]) == 3
    with pytest.raises(StoreError, match="opened for reading"):
        reader.keys_revoke("a", "t")
    reader.close()


def test_a_state_without_directory_is_said_to_be_so(state):
    with pytest.raises(StoreError, match="holds no directory yet"):
        open_directory(state)


def test_another_pepper_is_noticed_and_the_lock_given_back(store, state):
    store.close()
    pepper = state.pepper.read_bytes()
    state.pepper.write_bytes(b"x" * 32)
    with pytest.raises(StoreError, match="not the one that this directory was made with"):
        open_directory(state, "test")
    state.pepper.write_bytes(pepper)
    open_directory(state, "test").close()


def test_a_broken_file_is_named_not_a_traceback_of_the_driver(state):
    open_directory(state, "test").close()
    for path in state.path.glob("fastgate.sqlite*"):
        path.write_bytes(b"no database at all, just text " * 300)
    with pytest.raises(StoreError, match=r"fastgate\.sqlite: file is not a database") as caught:
        open_directory(state, "test")
    assert caught.value.kind == "unusable"


def test_files_are_private(store, state):
    assert isinstance(store, EmbeddedDirectory)
    assert {path.stat().st_mode & 0o077 for path in state.path.iterdir()} == {0}
