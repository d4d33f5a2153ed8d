"""The outbox: every alert once, every receiver at least once, over restarts; nothing floods anybody."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from fastgate.control.alerts import schema
from fastgate.control.alerts.notice import Notice
from fastgate.control.alerts.outbox import (
    ATTEMPTS,
    BACKOFF_MAX_S,
    BACKOFF_S,
    CRITICAL_S,
    KEEP_DAYS,
    Outbox,
    Receiver,
    Timing,
)
from fastgate.stores.engine import reading, writing
from fastgate.times import NS

NOW_NS = 1_790_000_000 * NS
PLAIN = Timing(0, {})
SLACK, MAIL = Receiver("slack"), Receiver("mail", "alice@acme.example")


def notice(**changes: Any) -> Notice:
    fields: dict[str, Any] = {
        "key": "stage:b:0::800000", "period_ns": 5, "at_ns": NOW_NS, "kind": "stage", "severity": "warning",
        "topic": "b", "title": "Budget b: 80 % is spent", "text": "Calls go on.", "facts": (("Budget", "b"),),
    }  # fmt: skip
    return Notice(**fields | changes)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path_factory.mktemp("outbox") / "alerts.sqlite", random.Random(1))) as outbox:
        yield outbox


@pytest.fixture
def outbox(made: Outbox) -> Outbox:
    with writing(made.engine) as connection:
        connection.execute(delete(schema.deliveries))
        connection.execute(delete(schema.events))
    return made


def test_the_file_has_exactly_the_schema(outbox: Outbox) -> None:
    with reading(outbox.engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    config = Config()
    config.set_main_option("script_location", "fastgate.control:migrations_alerts")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_an_alert_is_kept_and_comes_back_as_it_was(outbox: Outbox) -> None:
    one = notice(title="ü <&>", facts=(("a", "1"), ("a", "2")))
    assert outbox.put(one, [SLACK, MAIL, SLACK], PLAIN)
    messages = outbox.due(NOW_NS)
    assert [(message.receiver, message.notices) for message in messages] == [(SLACK, [one]), (MAIL, [one])]
    outbox.sent(messages[0].ids, NOW_NS + 1)
    assert [message.receiver for message in outbox.due(NOW_NS)] == [MAIL]
    ((_, kept, deliveries),), following = outbox.page(0, 10)
    assert (kept, following) == (one, None)
    assert [(each.receiver, each.state, each.sent_ns) for each in deliveries] == [
        (SLACK, "sent", NOW_NS + 1),
        (MAIL, "pending", 0),
    ]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), max_size=25))
@settings(max_examples=30)
def test_of_each_cell_period_and_stage_there_is_one(
    made: Outbox, told: list[tuple[int, int, int]]
) -> None:  # `made`: emptied here, for each example
    with writing(made.engine) as connection:
        connection.execute(delete(schema.deliveries))
        connection.execute(delete(schema.events))
    for n, (cell, period, stage) in enumerate(told):
        fresh = made.put(notice(key=f"{cell}:{stage}", period_ns=period, at_ns=NOW_NS + n), [SLACK], PLAIN)
        assert fresh == ((cell, period, stage) not in told[:n])
    assert sum(len(message.ids) for message in made.due(NOW_NS + 10**12)) == len(set(told))


def test_what_has_no_period_is_told_again_after_a_while(outbox: Outbox) -> None:
    rolling = {"period_ns": 0, "repeat_ns": 100 * NS}
    assert outbox.put(notice(**rolling), [SLACK], PLAIN)
    assert not outbox.put(notice(**rolling, at_ns=NOW_NS + 99 * NS), [SLACK], PLAIN)
    assert outbox.put(notice(**rolling, at_ns=NOW_NS + 100 * NS), [SLACK], PLAIN)


RAISE = """
import os, signal, sys
from pathlib import Path
from fastgate.control.alerts.outbox import Outbox, Receiver, Timing
from tests.unit.control.alerts.test_outbox import notice

outbox = Outbox(Path(sys.argv[1]))
for n in range(20):
    outbox.put(notice(period_ns=n), [Receiver("slack")], Timing(0, {}))
    if n == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_at_any_moment_nothing_is_lost_and_nothing_twice(tmp_path: Path) -> None:
    """Every run raises the same twenty; each is killed after another one more."""
    path = tmp_path / "alerts.sqlite"
    env = {**os.environ, "PYTHONPATH": f"src{os.pathsep}."}
    for last in (0, 7, 99):
        done = subprocess.run([sys.executable, "-c", RAISE, str(path), str(last)], env=env, timeout=60, check=False)
        assert done.returncode == (0 if last == 99 else -signal.SIGKILL)
    with closing(Outbox(path)) as outbox:
        (message,) = outbox.due(NOW_NS)
        assert sorted(one.period_ns for one in message.notices) == list(range(20))


def test_after_a_message_what_follows_is_collected(outbox: Outbox) -> None:
    timing = Timing(300, {})
    outbox.put(notice(period_ns=0), [SLACK], timing)
    outbox.sent(outbox.due(NOW_NS)[0].ids, NOW_NS)
    for n in range(1, 200):
        outbox.put(notice(period_ns=n, at_ns=NOW_NS + n), [SLACK], timing)
    assert outbox.due(NOW_NS + 299 * NS) == []
    (message,) = outbox.due(NOW_NS + 300 * NS)
    assert len(message.notices) == 199


def test_what_refuses_calls_waits_a_minute_at_most(outbox: Outbox) -> None:
    timing = Timing(3600, {"slack": 86_400})
    outbox.put(notice(severity="critical"), [SLACK], timing)
    outbox.sent(outbox.due(NOW_NS)[0].ids, NOW_NS)
    outbox.put(notice(key="other", severity="critical", at_ns=NOW_NS + 1), [SLACK], timing)
    assert outbox.due(NOW_NS + (CRITICAL_S - 1) * NS) == []
    assert len(outbox.due(NOW_NS + CRITICAL_S * NS)) == 1


def test_a_digest_goes_at_its_hour(outbox: Outbox) -> None:
    timing = Timing(0, {"slack": 3600})
    for n in range(3):
        outbox.put(notice(period_ns=n, at_ns=NOW_NS + n * 60 * NS), [SLACK, MAIL], timing)
    assert [message.receiver for message in outbox.due(NOW_NS + 600 * NS)] == [MAIL]
    hour_ns = (NOW_NS // (3600 * NS) + 1) * 3600 * NS
    assert SLACK not in [message.receiver for message in outbox.due(hour_ns - 1)]
    digest = next(message for message in outbox.due(hour_ns) if message.receiver == SLACK)
    assert len(digest.notices) == 3


def test_a_test_message_waits_for_nothing(outbox: Outbox) -> None:
    outbox.put(notice(), [SLACK], Timing(3600, {}))
    outbox.sent(outbox.due(NOW_NS)[0].ids, NOW_NS)
    outbox.put(notice(key="test", kind="test", at_ns=NOW_NS + 1), [SLACK], Timing(3600, {}))
    assert len(outbox.due(NOW_NS + 1)) == 1


def test_failures_back_off_and_end_dead(outbox: Outbox) -> None:
    outbox.put(notice(), [SLACK], PLAIN)
    now_ns, waits = NOW_NS, []
    for attempt in range(1, ATTEMPTS + 1):
        (message,) = outbox.due(now_ns)
        outbox.failed(message.ids, "answered 503", now_ns, None, final=False)
        ((_, _, (delivery,)),), _ = outbox.page(0, 1)
        assert (delivery.attempts, delivery.error) == (attempt, "answered 503")
        if attempt < ATTEMPTS:
            assert delivery.state == "pending"
            waits.append((delivery.due_ns - now_ns) / NS)
            whole = min(BACKOFF_MAX_S, BACKOFF_S * 2 ** (attempt - 1))
            assert whole / 2 <= waits[-1] <= whole
            now_ns = delivery.due_ns
        else:
            assert delivery.state == "dead"
    assert outbox.due(now_ns + 10**18) == []
    assert outbox.counts() == {"dead": 1}
    assert outbox.retry([999], now_ns) == 0
    assert outbox.retry(None, now_ns) == 1
    assert len(outbox.due(now_ns)) == 1


def test_what_cannot_work_is_not_tried_again_and_a_service_may_say_when(outbox: Outbox) -> None:
    outbox.put(notice(), [SLACK, MAIL], PLAIN)
    slack, mail = outbox.due(NOW_NS)
    outbox.failed(slack.ids, "answered 404", NOW_NS, None, final=True)
    outbox.failed(mail.ids, "answered 429", NOW_NS, 900.0, final=False)
    assert outbox.counts() == {"dead": 1, "pending": 1}
    assert outbox.due(NOW_NS + 899 * NS) == []
    assert [message.receiver for message in outbox.due(NOW_NS + 900 * NS)] == [MAIL]


def test_pages_and_housekeeping(outbox: Outbox) -> None:
    for n in range(5):
        outbox.put(notice(period_ns=n, at_ns=NOW_NS + n), [SLACK] if n else [], PLAIN)
    seen, cursor = [], 0
    while True:
        page, following = outbox.page(cursor, 2)
        seen += [one.period_ns for _, one, _ in page]
        if following is None:
            break
        cursor = following
    assert seen == [4, 3, 2, 1, 0]
    later_ns = NOW_NS + (KEEP_DAYS + 1) * 86_400 * NS
    assert outbox.prune(later_ns) == 1, "what is still to be sent stays"
    outbox.sent([i for message in outbox.due(later_ns) for i in message.ids], later_ns)
    assert outbox.prune(later_ns) == 4
    assert outbox.counts() == {}
