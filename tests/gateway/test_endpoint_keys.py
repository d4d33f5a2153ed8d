"""Several keys of one endpoint: each with its own health and limits, sessions shared out among them, none in a log."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from fastgate.record import CallRecord
from fastgate.sim.behaviour import Behaviour
from fastgate.snapshot import Endpoint, RoutingRow
from tests.support.plane import LIMITS, Answer, Plane, endpoint
from tests.support.sim import SimProcess, running

SECRETS = {"one": "provider-secret-of-key-one", "two": "provider-secret-of-key-two", "other": "provider-secret-of-b"}
RETRYING = msgspec.structs.replace(LIMITS, attempts=3, retry_s=6.0)


def endpoints_of(first: str, second: str, **limits: tuple[int, int, int]) -> tuple[Endpoint, ...]:
    """Endpoint `a` with keys `one` and `two` of one provider, then endpoint `b`."""
    keys = [
        endpoint(first, "a", key=name, api_key=SECRETS[name], limits=limits.get(name, (0, 0, 0)))
        for name in ("one", "two")
    ]
    return (*keys, endpoint(second, "b", api_key=SECRETS["other"], priority=1))


class Keyed:
    def __init__(self, first: SimProcess, second: SimProcess, plane: Plane) -> None:
        self.first, self.second, self.plane = first, second, plane

    def ask(self, session: str = "", **more: object) -> Answer:
        headers = {"x_claude_code_session_id": session} if session else {}
        return self.plane.message("hello [[sim:text tokens=20]]", stream=True, headers=headers, **more)

    def last(self) -> CallRecord:
        self.plane.wait_idle()
        return self.plane.records()[-1]

    def keys_used(self) -> list[str]:
        """The keys of the calls to the first provider, by its own log, in order."""
        named = {secret: name for name, secret in SECRETS.items()}
        return [named[call.header("x-api-key")] for call in self.first.calls()]

    def use(self, **limits: tuple[int, int, int]) -> None:
        self.plane.endpoints = endpoints_of(self.first.url, self.second.url, **limits)
        self.plane.publish()
        self.plane.wait_adopted()


@pytest.fixture(scope="module")
def running_keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    with running(tmp_path_factory.mktemp("a")) as first, running(tmp_path_factory.mktemp("b")) as second:
        folder = tmp_path_factory.mktemp("plane")
        plane = Plane(folder, endpoints_of(first.url, second.url), workers=2, limits=RETRYING).start()
        yield Keyed(first, second, plane)
        plane.stop()
        log = (folder / "plane.log").read_text()
        journals = b"".join(path.read_bytes() for path in (folder / "state" / "journal").rglob("*.fgj"))
        for secret in SECRETS.values():
            assert secret not in log and secret.encode() not in journals


@pytest.fixture
def keyed(running_keyed: Keyed) -> Iterator[Keyed]:
    running_keyed.first.fresh()
    running_keyed.second.fresh()
    running_keyed.plane.wait_idle()
    running_keyed.plane.forget_failures()
    yield running_keyed
    if any(any(each.limits) for each in running_keyed.plane.endpoints):
        running_keyed.use()


def test_sessions_are_shared_out_among_keys_and_each_stays_with_its_own(keyed: Keyed) -> None:
    sessions = [str(uuid.uuid4()) for _ in range(24)]
    for _ in range(3):
        for session in sessions:
            keyed.ask(session)
    used = keyed.keys_used()
    assert Counter(used[:24]).keys() == {"one", "two"}
    assert used[:24] == used[24:48] == used[48:]
    assert not keyed.second.calls()


def test_a_429_of_one_key_goes_to_the_next_key_before_the_next_endpoint(keyed: Keyed) -> None:
    session = str(uuid.uuid4())
    keyed.ask(session)
    (first,) = keyed.keys_used()
    other = "two" if first == "one" else "one"
    keyed.first.script(Behaviour(status=429, retry_after="20"), n=1)
    moved = keyed.ask(session)
    assert moved.status == 200 and moved.headers["x-fastgate-routed"] == f"hop;a/{first};failed"
    assert [attempt.endpoint for attempt in keyed.last().attempts] == [f"a/{first}", f"a/{other}"]
    keyed.ask(session)
    fresh = keyed.ask(str(uuid.uuid4()))  # the one that was refused is left alone, by every session
    assert keyed.keys_used() == [first, first, other, other, other] and not keyed.second.calls()
    assert fresh.headers["x-fastgate-provider"] == "a"


def test_an_overloaded_endpoint_is_not_asked_again_with_another_key(keyed: Keyed) -> None:
    keyed.first.script(Behaviour(status=529), n=2)
    assert keyed.ask().status == 200
    assert [attempt.endpoint.partition("/")[0] for attempt in keyed.last().attempts] == ["a", "b"]


def test_a_key_that_is_refused_is_followed_by_the_next(keyed: Keyed) -> None:
    keyed.first.script(Behaviour(status=401), n=1)
    assert keyed.ask().status == 200
    record = keyed.last()
    assert [attempt.error for attempt in record.attempts] == ["provider_credential", ""]
    assert {attempt.endpoint for attempt in record.attempts} == {"a/one", "a/two"}


def test_requests_a_minute_of_a_key_are_kept_over_all_workers(keyed: Keyed) -> None:
    keyed.use(one=(3, 0, 0), two=(4, 0, 0))
    for _ in range(12):
        assert keyed.ask().status == 200
    assert Counter(keyed.keys_used()) == {"one": 3, "two": 4}
    assert len(keyed.second.calls()) == 5


def test_tokens_a_minute_of_a_key_are_kept(keyed: Keyed) -> None:
    keyed.use(one=(0, 30, 0), two=(0, 30, 0))
    for _ in range(8):
        assert keyed.ask().status == 200
        keyed.plane.wait_idle()
    assert 2 <= len(keyed.keys_used()) <= 4  # each call has over twenty tokens
    assert len(keyed.second.calls()) == 8 - len(keyed.keys_used())


def test_parallel_calls_of_a_key_are_kept_and_given_back(keyed: Keyed) -> None:
    keyed.use(one=(0, 0, 1), two=(0, 0, 1))
    keyed.first.script(Behaviour(stall_head_s=0.8), n=2)
    threads = [threading.Thread(target=keyed.ask) for _ in range(5)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert Counter(keyed.keys_used()) == {"one": 1, "two": 1}
    assert len(keyed.second.calls()) == 3
    keyed.plane.wait_idle()
    assert keyed.ask().status == 200
    assert len(keyed.keys_used()) == 3


def test_a_lone_endpoint_whose_keys_are_all_used_up_waits_and_then_says_so(keyed: Keyed) -> None:
    fresh = (("one", "five"), ("two", "six"))  # names that have used up nothing yet
    keyed.plane.endpoints = tuple(
        endpoint(keyed.first.url, "a", key=name, api_key=SECRETS[secret], limits=(1, 0, 0)) for secret, name in fresh
    )
    keyed.plane.publish()
    keyed.plane.wait_adopted()
    assert [keyed.ask().status for _ in range(2)] == [200, 200]
    refused = keyed.ask()
    assert refused.status == 529 and len(keyed.keys_used()) == 2


def test_weights_of_keys_and_endpoints_go_together(keyed: Keyed) -> None:
    three = list(keyed.plane.endpoints)
    weights = (750_000, 250_000, 1_000_000)
    keyed.plane.endpoints = tuple(
        msgspec.structs.replace(each, weight=weight, priority=0) for each, weight in zip(three, weights, strict=True)
    )
    keyed.plane.routing = RoutingRow(strategy="weighted")
    keyed.plane.publish()
    keyed.plane.wait_adopted()
    for _ in range(120):
        keyed.ask(str(uuid.uuid4()))
    used = Counter(keyed.keys_used())
    assert used["one"] > used["two"] > 3 and 35 < len(keyed.second.calls()) < 85
    keyed.plane.routing = RoutingRow()
    keyed.use()
