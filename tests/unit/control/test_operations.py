"""The operations without a process around them, as the command line uses them, and on a disk that fails."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate import snapshot
from fastgate.clock import wall_ns
from fastgate.control import shapes, world
from fastgate.control.background import Background
from fastgate.control.calls import Query, filters_of
from fastgate.control.errors import OperationError
from fastgate.control.feed import CallFeed
from fastgate.control.metrics import CallCounters, metric
from fastgate.control.operations import Operations
from fastgate.control.shapes import NewKey
from fastgate.control.usage_queries import Filters
from fastgate.journal import KIND_CALL, JournalWriter
from fastgate.journal.view import call_view
from fastgate.record import Attempt, CallRecord, Usage
from fastgate.state import StateBusyError, StateDir
from fastgate.times import NS, rfc3339
from tests.support import flights, patterns

CONFIG = """\
version: 1
listen: 127.0.0.1:8080
control: {listen: 127.0.0.1:8081}
workers: 1
state: data
directory: directory.yaml
endpoints:
  - {name: a, kind: compatible, base_url: "http://127.0.0.1:9", api_key: "${THE_KEY}"}
  - {name: b, kind: compatible, base_url: "http://127.0.0.1:9", api_key: in-the-file-1234}
  - {name: c, kind: compatible, base_url: "http://127.0.0.1:9"}
"""

DIRECTORY = """\
orgs: [{id: acme, name: Acme}]
cost_centers: [{id: CC-1, owner: x@acme.example}]
teams: [{id: platform, org: acme, cost_center: CC-1}]
users: [{id: alice, team: platform}]
keys: [{id: declared, user: alice, secret: sk-test-declared-0123456789abcdef}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THE_KEY", "sk-provider-secret")
    (tmp_path / "fastgate.yaml").write_text(CONFIG)
    (tmp_path / "directory.yaml").write_text(DIRECTORY)
    patterns.share(tmp_path / "data")
    return tmp_path


@pytest.fixture
def operations(folder: Path) -> Iterator[Operations]:
    with Operations.open(folder / "fastgate.yaml", os.environ, "a test") as opened:
        opened.reload("test")
        yield opened


def published(operations: Operations) -> snapshot.SnapshotData:
    return snapshot.decode(operations.state.snapshot.read_bytes())


def record(n: int, cost_nano: int = 1_000_000, outcome: str = "ok") -> CallRecord:
    return flights.record(
        f"fg-0123456789ab-{n}",
        at_ns=wall_ns() + n,
        key="declared",
        cost_center="CC-1",
        tags={"project": "x"},
        session="s",
        endpoint="a",
        provider="compatible",
        outcome=outcome,
        usage=Usage(1, 2, 3, 4, 5, {"web_search": 6}),
        cost_nano=cost_nano,
        cost_asked_nano=cost_nano,
        stages=["ok"],
        attempts=[Attempt("a", "claude-sonnet-4-5", 200, "", 1500, cost_nano)],
    )


def count(operations: Operations, *records: CallRecord) -> None:
    """Puts records through a journal into the usage table."""
    writer = JournalWriter.create(operations.state.journal_dir)
    for one in records:
        writer.append(KIND_CALL, msgspec.msgpack.encode(one))
    writer.close()
    feed = CallFeed(operations.state.journal_dir)
    for epoch in feed.epochs():
        operations.calls.table.take(feed, epoch)


# -- one writer -------------------------------------------------------------------------------------------------------


def test_only_one_process_works_on_a_state(operations: Operations, folder: Path) -> None:
    with pytest.raises(StateBusyError, match="a test"):
        Operations.open(folder / "fastgate.yaml", os.environ, "another")


def test_the_state_is_free_again_after_a_command(folder: Path) -> None:
    for _ in range(2):
        with Operations.open(folder / "fastgate.yaml", os.environ, "a test"):
            pass


# -- publishing -------------------------------------------------------------------------------------------------------


def test_every_change_of_a_key_is_published_before_it_is_answered(operations: Operations) -> None:
    at = published(operations).generation
    operations.create_key(NewKey(user="alice", id="k"), "t")
    assert "k" in {row.key for row in published(operations).keys}
    operations.rotate_key("k", 60, "t")
    assert sum(row.key == "k" for row in published(operations).keys) == 2
    operations.revoke_key("k", "t")
    assert "k" not in {row.key for row in published(operations).keys}
    assert published(operations).generation == at + 3 == operations.world.generation


def test_what_has_not_changed_is_not_published_again(operations: Operations) -> None:
    at = operations.world.generation
    assert operations.reload("t").changed is False
    assert operations.world.refresh() is False
    operations.list_keys()
    assert operations.world.generation == at


def test_a_board_that_lags_behind_the_file_is_brought_up(operations: Operations) -> None:
    """A crash between writing the file and telling the workers must not leave them without it."""
    operations.board.generation -= 1
    assert operations.world.refresh() is True
    assert operations.board.generation == published(operations).generation


def test_no_secret_reaches_the_disk(operations: Operations) -> None:
    issued = operations.create_key(NewKey(user="alice", id="k"), "t")
    for path in operations.state.path.rglob("*"):
        if path.is_file() and path.name != "in-force.yaml":  # a copy of the file, with what the file says
            data = path.read_bytes()
            assert b"sk-provider-secret" not in data, path
            assert issued.secret.encode() not in data, path
            assert b"sk-test-declared" not in data, path
    assert (operations.state.path / "in-force.yaml").stat().st_mode & 0o777 == 0o600
    assert issued.secret not in repr(issued)


def test_an_expired_key_leaves_with_the_clock(operations: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    ends_ns = wall_ns() + 5 * NS
    operations.create_key(NewKey(user="alice", id="brief", expires=rfc3339(ends_ns)), "t")
    operations.world.tick()
    assert "brief" in {row.key for row in published(operations).keys}
    monkeypatch.setattr(world, "wall_ns", lambda: ends_ns + NS)
    operations.world.tick()
    assert "brief" not in {row.key for row in published(operations).keys}
    at = operations.world.generation
    operations.world.tick()
    assert operations.world.generation == at, "the clock alone publishes nothing twice"


def test_a_full_disk_keeps_the_secret_and_catches_up(operations: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(world, "publish", full)
        issued = operations.create_key(NewKey(user="alice", id="k"), "t")
        assert issued.secret, "it is stored and cannot be shown again"
        with pytest.raises(OperationError, match="workers cannot be told") as refused:
            operations.revoke_key("declared", "t")
        assert refused.value.kind == "unusable"
        with pytest.raises(OSError, match="No space"):
            operations.world.tick()
    assert {row.key for row in published(operations).keys} == {"declared"}
    operations.world.tick()
    assert {row.key for row in published(operations).keys} == {"k"}


# -- reload -----------------------------------------------------------------------------------------------------------


def test_a_reload_with_mistakes_changes_nothing_at_all(operations: Operations, folder: Path) -> None:
    before = (operations.state.snapshot.read_bytes(), operations.list_changes(), operations.list_endpoints())
    kept = (operations.state.path / "in-force.yaml").read_bytes()
    bad = {
        "fastgate.yaml": [CONFIG + "limts: {}\n", CONFIG.replace("kind: compatible", "kind: c"), "", "{"],
        "directory.yaml": ["users: [{id: u, team: none}]\n", DIRECTORY.replace("secret: sk-test", "secret: 'x'") + "y"],
    }
    for name, texts in bad.items():
        original = (folder / name).read_text()
        for text in texts:
            (folder / name).write_text(text)
            with pytest.raises(OperationError) as refused:
                operations.reload("t")
            assert refused.value.kind == "invalid"
            assert all(problem.file.endswith(name) for problem in refused.value.problems)
            assert refused.value.problems
        (folder / name).write_text(original)
    assert (operations.state.snapshot.read_bytes(), operations.list_changes(), operations.list_endpoints()) == before
    assert (operations.state.path / "in-force.yaml").read_bytes() == kept


def test_a_guard_that_cannot_be_made_leaves_the_whole_file_out(operations: Operations, folder: Path) -> None:
    """Its patterns are compiled last of all that is looked at, and before anything is changed."""
    before = (operations.list_changes(), operations.list_endpoints(), operations.world.config)
    rule = "{id: ahead, sample: abc, pattern: 'a(?=b)'}"  # Python knows it, the pattern matcher does not
    text = CONFIG.replace("name: a,", "name: other,") + f"guards: [{{use: custom, settings: {{rules: [{rule}]}}}}]\n"
    (folder / "fastgate.yaml").write_text(text)
    (folder / "directory.yaml").write_text(DIRECTORY.replace("users: [", "users: [{id: bob, team: platform}, "))
    with pytest.raises(OperationError) as refused:
        operations.reload("t")
    assert [problem.path for problem in refused.value.problems] == ["guards"]
    assert (operations.list_changes(), operations.list_endpoints(), operations.world.config) == before
    operations.world.refresh()
    assert (operations.state.path / "in-force.yaml").read_text() == CONFIG


def test_a_directory_that_collides_with_a_managed_key_is_refused_whole(operations: Operations, folder: Path) -> None:
    operations.create_key(NewKey(user="alice", id="mine"), "t")
    text = DIRECTORY.replace("users: [", "users: [{id: bob, team: platform}, ")
    text = text.replace("keys: [", "keys: [{id: mine, user: bob, secret: sk-another-secret-0123456789}, ")
    (folder / "directory.yaml").write_text(text)
    before = operations.list_changes()
    with pytest.raises(OperationError, match="mine"):
        operations.reload("t")
    assert operations.list_changes() == before
    assert [user.id for user in operations.list_users().items] == ["alice"]


def test_what_only_a_start_reads_is_named_and_kept(operations: Operations, folder: Path) -> None:
    text = CONFIG.replace("8080", "9090").replace("workers: 1", "workers: 5") + "journal: {fsync: always}\n"
    (folder / "fastgate.yaml").write_text(text)
    done = operations.reload("t")
    assert done.needs_restart == ["listen", "workers", "journal"]
    assert operations.status().listen == "127.0.0.1:8080"
    assert operations.reload("t").needs_restart == ["listen", "workers", "journal"], "until it is restarted"


def test_the_configuration_in_force_is_kept_for_a_restart(operations: Operations, folder: Path) -> None:
    kept = operations.state.path / "in-force.yaml"
    assert kept.read_text() == CONFIG
    (folder / "fastgate.yaml").write_text(CONFIG + "# changed\n")
    assert kept.read_text() == CONFIG
    operations.reload("t")
    assert kept.read_text() == CONFIG + "# changed\n"


# -- shapes -----------------------------------------------------------------------------------------------------------


def test_a_call_is_shown_with_every_field_of_the_view(operations: Operations) -> None:
    one = record(1)
    count(operations, one)
    shown = operations.show_call(one.id)
    assert msgspec.to_builtins(shown) == call_view(one), "the API's shape and the data plane's are the same"
    assert operations.list_calls(Query()).items == [shown]


def test_secrets_of_endpoints_are_never_shown(operations: Operations) -> None:
    assert [endpoint.api_key for endpoint in operations.list_endpoints().items] == ["${THE_KEY}", "(in the file)", None]


def test_spend_without_a_dimension_is_the_total(operations: Operations) -> None:
    count(operations, record(1, 5), record(2, 7))
    spend = operations.spend([], Query())
    assert (spend.items, spend.total["cost"], spend.total["calls"]) == ([], "0.000000012", 2)
    by_user = operations.spend(["user"], Query(user="nobody"))
    assert (by_user.items, by_user.total["calls"]) == ([], 0)


FILTER_NAMES = [name for name in Query.__struct_fields__ if name not in ("since", "until", "tag")]


@given(st.dictionaries(st.sampled_from(FILTER_NAMES), st.text(max_size=8)))
def test_every_filter_reaches_the_table_under_its_own_name(given_: dict[str, str]) -> None:
    if "outcome" in given_:
        given_ = given_ | {"outcome": "ok"}
    filters = filters_of(Query(**given_))
    assert {name: getattr(filters, name) for name in given_} == given_
    assert set(Filters.__struct_fields__) == {*FILTER_NAMES, "since_ns", "until_ns", "tags"}


@pytest.mark.parametrize("text", ["", "x", "=v"])
def test_a_tag_is_a_name_and_a_value(text: str) -> None:
    with pytest.raises(OperationError, match="NAME=VALUE"):
        filters_of(Query(tag=[text]))
    assert filters_of(Query(tag=["a=b=c", "d="])).tags == {"a": "b=c", "d": ""}


# -- metrics ----------------------------------------------------------------------------------------------------------


def test_counters_begin_at_nought_and_survive_retention(operations: Operations) -> None:
    count(operations, record(1, 5))
    counters = CallCounters(operations.calls.table.engine)
    counters.look()
    assert (counters.calls, counters.cost_nano) == ({}, 0), "what was there before this process is not counted"
    count(operations, record(2, 7), record(3, 11, "client_gone"))
    counters.look()
    counters.look()
    assert counters.calls == {"ok": 1, "client_gone": 1}
    assert counters.cost_nano == 18
    assert counters.tokens["cache_read_tokens"] == 10
    operations.calls.table.prune(wall_ns() + 500 * 86400 * NS)
    assert operations.calls.table.count() == 0
    counters.look()
    assert counters.calls == {"ok": 1, "client_gone": 1}, "a counter never goes back"
    count(operations, record(4, 13))
    counters.look()
    assert counters.cost_nano == 31


def test_label_values_are_escaped() -> None:
    lines = metric("x", "gauge", "X.", [({"a": 'q"\\\n'}, 1)])
    assert lines[-1] == 'fastgate_x{a="q\\"\\\\\\n"} 1'


def test_status_tells_of_a_state_without_a_gateway(operations: Operations) -> None:
    status = operations.status()
    assert (status.supervisor_pid, status.workers, status.in_flight) == (None, [], 0)
    assert status.keys == 1
    assert status.limits["drain_s"] == 600.0
    assert isinstance(StateDir(status.state), StateDir)
    assert isinstance(operations.drain_state(), shapes.DrainState)


def test_graphs_that_cannot_be_saved_end_no_control_plane(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def broken(stopping: Callable[[], bool]) -> bool:
        tried.set()
        raise RuntimeError("what an index says")

    monkeypatch.setattr(operations.caching, "save_graphs", broken)
    background = Background(operations, operations.world.config.journal)

    async def work() -> None:
        tasks = background.start(asyncio.get_running_loop())
        assert await asyncio.to_thread(tried.wait, 20)
        ended, _ = await asyncio.wait(tasks, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
        assert not ended
        await background.finish(tasks)

    asyncio.run(work())
