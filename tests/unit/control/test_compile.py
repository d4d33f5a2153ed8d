"""Compiling: dead keys are absent, the version is of the content alone, no secret of the environment gets in."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate import snapshot
from fastgate.config import load_config
from fastgate.control.compile import compile_snapshot, next_expiry_ns
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.snapshot import Raise
from fastgate.stores.ports import DirectoryRows, SecretRow

NOW_NS = 1_000
HIDDEN = "sk-ant-never-on-disk"
TEXT = """\
version: 1
headers: {also: [x-agentcc]}
endpoints:
  - {name: a, kind: anthropic, api_key: "${KEY}", pin: true}
  - {name: b, kind: compatible, base_url: http://127.0.0.1:9, auth: bearer, ca_file: ca.pem}
limits: {drain_s: 7, unknown_usage: bound}
"""

PRICES = compile_prices(PriceSettings())


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "fastgate.yaml"
    path.write_text(TEXT)
    return load_config(path, {"KEY": HIDDEN})[0], path.parent


ends = st.sampled_from([0, 1, NOW_NS, NOW_NS + 1, 2 * NOW_NS])
rows = st.builds(
    SecretRow,
    digest=st.binary(min_size=32, max_size=32),
    key=st.sampled_from(["k1", "k2"]),
    user=st.sampled_from(["", "u"]),
    team=st.just("t"),
    org=st.just("o"),
    cost_center=st.sampled_from(["", "C"]),
    tags=st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
    models=st.lists(st.sampled_from(["claude-*"]), max_size=1),
    open_tags=st.just([]),
    cache_overrides=st.booleans(),
    not_after_ns=ends,
    expires_ns=ends,
    revoked_ns=st.sampled_from([0, 1]),
)
secrets = st.lists(rows, unique_by=lambda row: row.digest, max_size=8)


@given(secrets)
def test_exactly_the_live_keys_are_there_each_with_its_earlier_end(loaded, found):
    data = compile_snapshot(loaded[0], DirectoryRows(1, found), PRICES, 1, NOW_NS)
    expected = {}
    for row in found:
        end = min(row.not_after_ns or 10**9, row.expires_ns or 10**9)
        if not row.revoked_ns and end > NOW_NS:
            expected[row.digest] = 0 if end == 10**9 else end
    assert {row.digest: row.not_after_ns for row in data.keys} == expected
    assert next_expiry_ns(data) == min((end for end in expected.values() if end), default=0)


@given(secrets, st.randoms(), st.integers(1, 2**40))
def test_the_version_depends_on_the_content_only(loaded, found, random, generation):
    shuffled = random.sample(found, len(found))
    one = compile_snapshot(loaded[0], DirectoryRows(1, found), PRICES, 1, NOW_NS)
    other = compile_snapshot(loaded[0], DirectoryRows(9, shuffled), PRICES, generation, NOW_NS)
    assert (one.version, one.keys) == (other.version, other.keys)
    assert other.generation == generation


@given(secrets.filter(bool))
def test_any_difference_is_another_version(loaded, found):
    found = [msgspec.structs.replace(row, revoked_ns=0, not_after_ns=0, expires_ns=0) for row in found]
    changed = [msgspec.structs.replace(found[0], tags={"other": "tag"}), *found[1:]]
    versions = {
        compile_snapshot(loaded[0], DirectoryRows(1, each), PRICES, 1, NOW_NS).version
        for each in (found, changed, found[1:])
    }
    assert len(versions) == 3


def test_each_key_of_an_endpoint_is_an_endpoint_and_together_they_weigh_as_much(tmp_path):
    (tmp_path / "fastgate.yaml").write_text("""\
version: 1
routing: {strategy: weighted, latency_ms: 900}
endpoints:
  - name: a
    kind: anthropic
    weight: 2
    keys: [{api_key: "${ONE}", weight: 3, limits: {parallel: 7}}, {api_key: "${TWO}", name: spare}]
  - {name: b, kind: anthropic, api_key: "${KEY}", priority: 5}
""")
    config, _ = load_config(tmp_path / "fastgate.yaml", {"KEY": HIDDEN, "ONE": "key-one", "TWO": "key-two"})
    data = compile_snapshot(config, DirectoryRows(1, []), PRICES, 1, NOW_NS)
    assert b"key-one" not in snapshot.encode(data) and b"key-two" not in snapshot.encode(data)
    found = [(each.name, each.key, each.api_key, each.weight, each.key_weight) for each in data.endpoints]
    assert found == [
        ("a", "1", "${ONE}", 1_500_000, 3),
        ("a", "spare", "${TWO}", 500_000, 1),
        ("b", "", "${KEY}", 1_000_000, 1),
    ]
    assert [each.limits for each in data.endpoints] == [(0, 0, 7), (0, 0, 0), (0, 0, 0)]
    assert [each.priority for each in data.endpoints] == [0, 0, 5]
    assert data.routing == snapshot.RoutingRow("weighted", 900)


def test_a_configuration_arrives_whole_and_secrets_stay_references(loaded):
    config, folder = loaded
    data = compile_snapshot(config, DirectoryRows(1, []), PRICES, 3, NOW_NS)
    raw = snapshot.encode(data)
    assert HIDDEN.encode() not in raw
    view = snapshot.Snapshot(snapshot.decode(raw))
    first, second = view.endpoints
    assert first == snapshot.Endpoint(
        name="a",
        kind="anthropic",
        base_url="https://api.anthropic.com",
        api_key="${KEY}",
        auth="x-api-key",
        anthropic_version="2023-06-01",
        pin_version=True,
        ca_file="",
    )
    assert (second.auth, second.api_key, second.ca_file) == ("bearer", "", str(folder / "ca.pem"))
    assert (view.limits.drain_s, view.limits.unknown_usage, view.limits.body_bytes) == (7, "bound", 33554432)
    assert view.generation == 3


@given(secrets)
def test_a_round_trip_finds_every_key_by_its_digest(loaded, found):
    data = compile_snapshot(loaded[0], DirectoryRows(1, found), PRICES, 1, NOW_NS)
    decoded = snapshot.decode(snapshot.encode(data))
    assert decoded == data
    assert snapshot.Snapshot(decoded).principals == {row.digest: row for row in data.keys}


def test_increases_and_pauses_end_by_themselves_and_the_next_end_is_known(loaded):
    row = snapshot.BudgetRow(
        *("b", "o", "user", "u", False, (), "month", 0, "UTC", 1, 5, True, ()),
        increases=(Raise(1, NOW_NS), Raise(2, NOW_NS + 5, "alice"), Raise(3, NOW_NS + 9)),
        created_ns=1,
    )
    paused = [snapshot.PauseRow("user", "u", "", "why", "me", 1, until) for until in (0, NOW_NS, NOW_NS + 7)]
    rows = DirectoryRows(1, [], [msgspec.structs.replace(row, id="c"), row], paused)
    data = compile_snapshot(loaded[0], rows, PRICES, 1, NOW_NS)
    assert [budget.id for budget in data.budgets] == ["b", "c"]
    assert data.budgets[0].increases == ((2, NOW_NS + 5, "alice"), (3, NOW_NS + 9, ""))
    assert [pause.until_ns for pause in data.pauses] == [0, NOW_NS + 7]
    assert next_expiry_ns(data) == NOW_NS + 5
    assert snapshot.decode(snapshot.encode(data)) == data


def test_rates_are_absent_unless_somebody_is_limited(loaded):
    def rates(limits, *rows):
        config = msgspec.structs.replace(loaded[0], limits=msgspec.structs.replace(loaded[0].limits, **limits))
        data = compile_snapshot(config, DirectoryRows(1, [], rates=rows), PRICES, 1, NOW_NS)
        return [msgspec.structs.astuple(row) for row in data.rates], snapshot.Snapshot(data).rates

    nothing = snapshot.RateRow("user", "u", 0, None, 0)
    assert rates({}, nothing) == ([], None)
    assert rates({"parallel_calls": 4})[0] == [("key", "", 0, 0, 4)]
    found, index = rates({}, snapshot.RateRow("user", "u", None, 5, None))
    assert found == [("key", "", 0, 0, 0), ("user", "u", None, 5, None)]
    assert set(index) == {("key", ""), ("user", "u")}
