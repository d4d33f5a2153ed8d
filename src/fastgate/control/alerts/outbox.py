"""The outbox: alerts on disk from the moment they are raised until everybody has them. Its own SQLite file.

An alert and what is to be sent of it are written in one transaction, so a crash loses neither; it is sent at least
once. Owns what is due when: cooldown, digest, back-off. Must not know how anything is sent.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from fastgate.control.alerts.notice import CLEARED, Notice
from fastgate.control.alerts.schema import HEAD, deliveries, events
from fastgate.stores.engine import migrate, open_engine, reading, writing
from fastgate.times import NS

BACKOFF_S = 5
"""Before the second attempt; each wait after that is twice as long."""
BACKOFF_MAX_S = 3600
ATTEMPTS = 14
"""The last comes some six hours after the first: a service that is away longer is a matter for people."""

MESSAGE_ALERTS = 1000
"""Alerts of one message, of which services show as many as they take; the rest follows in the next."""

CRITICAL_S = 60
"""The longest cooldown of what says that calls are refused."""

KEEP_DAYS = 400
"""As long as calls are kept."""

LAST_CHARACTER = "\U0010ffff"

State = Literal["pending", "sent", "dead"]


class Receiver(NamedTuple):
    """A channel, and the e-mail address of the person it is to reach there; empty for the channel's own place."""

    channel: str
    to: str = ""


class Due(NamedTuple):
    """One message that can go now: all that is due for one receiver."""

    receiver: Receiver
    ids: list[int]
    notices: list[Notice]


class Delivery(NamedTuple):
    """How far an alert is with one receiver."""

    id: int
    receiver: Receiver
    state: State
    attempts: int
    error: str
    due_ns: int
    sent_ns: int


class Timing(NamedTuple):
    """How long alerts are collected: for every receiver after a message, and for each channel by name."""

    cooldown_s: int
    digest_s: Mapping[str, int]


class Outbox:
    """The file at `path`, made and migrated if need be. Raises StoreError for what the disk cannot do."""

    def __init__(self, path: Path, draw: random.Random | None = None) -> None:
        self.engine = open_engine(path)
        self._draw = draw or random.Random()  # noqa: S311 - spreads retries, guards nothing
        try:
            migrate(self.engine, scripts="fastgate.control:migrations_alerts", head=HEAD)
        except BaseException:
            self.engine.dispose()
            raise

    def close(self) -> None:
        self.engine.dispose()

    # -- in ---------------------------------------------------------------------------------------------------------

    def put(self, notice: Notice, receivers: Sequence[Receiver], timing: Timing) -> bool:
        """Keep an alert and what is to be sent of it, unless it was raised before. True if it is new."""
        with writing(self.engine) as connection:
            if _known(connection, notice):
                return False
            values = {"key": notice.key, "period_ns": notice.period_ns, "at_ns": notice.at_ns}
            made = connection.execute(insert(events).values(**values, notice=msgspec.to_builtins(notice)))
            event_id = made.inserted_primary_key[0] if made.inserted_primary_key is not None else 0
            for receiver in dict.fromkeys(receivers):
                connection.execute(
                    insert(deliveries).values(
                        event_id=event_id,
                        channel=receiver.channel,
                        receiver=receiver.to,
                        state="pending",
                        due_ns=_first_due_ns(connection, notice, receiver, timing),
                        attempts=0,
                        error="",
                        sent_ns=0,
                    )
                )
        return True

    def keys(self, beginning: str) -> set[str]:
        """Of the alerts whose key begins so."""
        with reading(self.engine) as connection:
            return set(connection.scalars(select(events.c.key).where(_begins(beginning))))

    def standing(self, beginning: str, channels: Sequence[str]) -> list[tuple[Notice, list[Receiver]]]:
        """Alerts whose key begins so, that went, or are to go, to one of `channels` and have not cleared, oldest
        first."""
        cleared = select(events.c.key, events.c.period_ns).where(_begins(CLEARED + beginning))
        asked = (
            select(events.c.id, events.c.notice, deliveries.c.channel, deliveries.c.receiver)
            .join(deliveries, deliveries.c.event_id == events.c.id)
            .where(_begins(beginning), deliveries.c.channel.in_(channels), deliveries.c.state != "dead")
            .order_by(events.c.id)
        )
        found: dict[int, tuple[Notice, list[Receiver]]] = {}
        with reading(self.engine) as connection:
            over = {tuple(row) for row in connection.execute(cleared)}
            for row in connection.execute(asked):
                notice = msgspec.convert(row.notice, Notice)
                if (CLEARED + notice.key, notice.period_ns or notice.at_ns) not in over:
                    found.setdefault(row.id, (notice, []))[1].append(Receiver(row.channel, row.receiver))
        return list(found.values())

    # -- out --------------------------------------------------------------------------------------------------------

    def due(self, now_ns: int) -> list[Due]:
        """What can go now, at most one message for each receiver."""
        joined = select(deliveries, events.c.notice).join(events, events.c.id == deliveries.c.event_id)
        asked = joined.where(deliveries.c.state == "pending", deliveries.c.due_ns <= now_ns).order_by(deliveries.c.id)
        messages: dict[Receiver, Due] = {}
        with reading(self.engine) as connection:
            for row in connection.execute(asked):
                receiver = Receiver(row.channel, row.receiver)
                message = messages.setdefault(receiver, Due(receiver, [], []))
                if len(message.ids) < MESSAGE_ALERTS:
                    message.ids.append(row.id)
                    message.notices.append(msgspec.convert(row.notice, Notice))
        return list(messages.values())

    def sent(self, ids: Sequence[int], now_ns: int) -> None:
        with writing(self.engine) as connection:
            values = {"state": "sent", "sent_ns": now_ns, "attempts": deliveries.c.attempts + 1, "error": ""}
            connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(**values))

    def failed(self, ids: Sequence[int], error: str, now_ns: int, wait_s: float | None, *, final: bool) -> None:
        """An attempt that failed: again later, after `wait_s` where the service says so, or never."""
        with writing(self.engine) as connection:
            rows = connection.execute(select(deliveries).where(deliveries.c.id.in_(ids))).all()
            for row in rows:
                attempts = row.attempts + 1
                dead = final or attempts >= ATTEMPTS
                due_ns = now_ns + int(max(self._backoff_s(attempts), wait_s or 0) * NS)
                values = {"attempts": attempts, "error": error, "state": "dead" if dead else "pending"}
                here = deliveries.c.id == row.id
                connection.execute(update(deliveries).where(here).values(**values, due_ns=due_ns))

    def _backoff_s(self, attempts: int) -> float:
        """Doubled each time, and anywhere in its upper half: what failed together does not come back together."""
        wait_s = min(BACKOFF_MAX_S, BACKOFF_S << min(attempts - 1, 16))
        return wait_s * (1 + self._draw.random()) / 2

    def retry(self, ids: Sequence[int] | None, now_ns: int) -> int:
        """Try dead deliveries again, all of them without `ids`; how many there are."""
        chosen = deliveries.c.state == "dead"
        if ids is not None:
            chosen = and_(chosen, deliveries.c.id.in_(ids))
        with writing(self.engine) as connection:
            values = {"state": "pending", "due_ns": now_ns, "attempts": 0}
            return connection.execute(update(deliveries).where(chosen).values(**values)).rowcount

    # -- questions and house ----------------------------------------------------------------------------------------

    def page(self, before: int, limit: int) -> tuple[list[tuple[int, Notice, list[Delivery]]], int | None]:
        """Alerts, newest first, each with its deliveries; `before` is an alert's number, 0 for the newest page."""
        asked = select(events).order_by(events.c.id.desc()).limit(limit + 1)
        if before:
            asked = asked.where(events.c.id < before)
        with reading(self.engine) as connection:
            found = connection.execute(asked).all()
            ids = [row.id for row in found[:limit]]
            of_page = select(deliveries).where(deliveries.c.event_id.in_(ids)).order_by(deliveries.c.id)
            by_event: dict[int, list[Delivery]] = {}
            for row in connection.execute(of_page):
                by_event.setdefault(row.event_id, []).append(_delivery(row))
        page = [(row.id, msgspec.convert(row.notice, Notice), by_event.get(row.id, [])) for row in found[:limit]]
        return page, found[limit - 1].id if len(found) > limit else None

    def counts(self) -> dict[str, int]:
        """Deliveries by state."""
        with reading(self.engine) as connection:
            counted = select(deliveries.c.state, func.count().label("n")).group_by(deliveries.c.state)
            return {row.state: row.n for row in connection.execute(counted)}

    def prune(self, now_ns: int) -> int:
        """Forget alerts that are older than calls are, unless something of them is still to be sent."""
        waiting = select(deliveries.c.event_id).where(deliveries.c.state == "pending")
        old = and_(events.c.at_ns < now_ns - KEEP_DAYS * 86_400 * NS, events.c.id.not_in(waiting))
        with writing(self.engine) as connection:
            return connection.execute(delete(events).where(old)).rowcount


def _begins(text: str) -> ColumnElement[bool]:
    """Of an alert's key; by its index, which has texts in the order of their bytes."""
    return and_(events.c.key >= text, events.c.key < text + LAST_CHARACTER)


def _known(connection: Connection, notice: Notice) -> bool:
    """Whether it was raised in this period, or too short a time ago."""
    same = and_(events.c.key == notice.key, events.c.period_ns == notice.period_ns)
    if notice.repeat_ns:
        same = and_(same, events.c.at_ns > notice.at_ns - notice.repeat_ns)
    return connection.execute(select(events.c.id).where(same).limit(1)).first() is not None


def _first_due_ns(connection: Connection, notice: Notice, receiver: Receiver, timing: Timing) -> int:
    """At once, unless the receiver has just heard something or wants digests."""
    here = and_(deliveries.c.channel == receiver.channel, deliveries.c.receiver == receiver.to)
    due_ns = notice.at_ns
    digest_s = timing.digest_s.get(receiver.channel, 0)
    if digest_s and notice.severity != "critical":
        due_ns = (notice.at_ns // (digest_s * NS) + 1) * digest_s * NS
    last_ns = connection.scalar(select(func.max(deliveries.c.sent_ns)).where(here)) or 0
    if last_ns and notice.kind != "test":
        cooldown_s = min(timing.cooldown_s, CRITICAL_S) if notice.severity == "critical" else timing.cooldown_s
        due_ns = max(due_ns, last_ns + cooldown_s * NS)
    return due_ns


def _delivery(row: Row[Any]) -> Delivery:
    receiver = Receiver(row.channel, row.receiver)
    return Delivery(row.id, receiver, row.state, row.attempts, row.error, row.due_ns, row.sent_ns)
