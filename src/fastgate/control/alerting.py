"""Alerts as plain methods that the admin API and the command line both call: list, test, try again. Every change is
audited. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fastgate.clock import wall_ns
from fastgate.config_alerts import Alerts, has_place, is_email, reaches_people
from fastgate.control import shapes_alerts as shapes
from fastgate.control.alerts import route
from fastgate.control.alerts.desk import Desk
from fastgate.control.alerts.notice import Notice
from fastgate.control.alerts.outbox import Delivery, Receiver
from fastgate.control.errors import OperationError
from fastgate.control.shapes import Page
from fastgate.stores.ports import Change
from fastgate.times import rfc3339

Receivers = Sequence[Receiver]


class Audited(Protocol):
    """What this needs of the directory's store."""

    def note(self, change: Change, actor: str) -> None: ...


class Alerting:
    """Questions to the desk of this process, and what may be asked of it."""

    def __init__(self, desk: Desk, settings: Callable[[], Alerts], audit: Audited) -> None:
        self._desk = desk
        self._settings = settings
        self._audit = audit

    def list(self, before: int = 0, limit: int = 100) -> Page[shapes.Alert]:
        """Newest first."""
        if not self._desk.in_use:
            return Page([])
        found, following = self._desk.outbox.page(before, limit)
        return Page([alert_of(*one) for one in found], None if following is None else str(following))

    def channels(self) -> Page[shapes.AlertChannel]:
        return Page(
            [
                shapes.AlertChannel(channel.name, channel.kind, reaches_people(channel), has_place(channel))
                for channel in self._settings().channels
            ]
        )

    def test(self, asked: shapes.AlertTest, actor: str) -> Page[shapes.AlertTried]:
        """Sends a test message now, and says how each attempt ended."""
        receivers = self._receivers(asked)
        after = {"channel": asked.channel or None, "to": asked.to or None}
        self._audit.note(Change("test", "alert", asked.channel or "all", None, after), actor)
        tried = self._desk.trial(receivers)
        return Page([shapes.AlertTried(one.receiver.channel, one.receiver.to or None, not one.error, one.error)
                     for one in tried])  # fmt: skip

    def _receivers(self, asked: shapes.AlertTest) -> Receivers:
        settings = self._settings()
        channel = next((one for one in settings.channels if one.name == asked.channel), None)
        if asked.channel and channel is None:
            names = ", ".join(one.name for one in settings.channels) or "none"
            raise OperationError("not_found", f"there is no alert channel {asked.channel}; there are: {names}.")
        if asked.to:
            if channel is None or not reaches_people(channel):
                told = "to: name a channel that reaches single users: one of kind email, or slack with a token."
                raise OperationError("invalid", told)
            if not is_email(asked.to):
                raise OperationError("invalid", f"to: {asked.to!r} is not an e-mail address.")
            return [Receiver(asked.channel, asked.to)]
        receivers = list(route.places(settings, asked.channel))
        if not receivers:
            told = (
                f"channel {asked.channel} only reaches single users; say whom with `to`."
                if asked.channel
                else "no alert channel is configured; `alerts.channels` in fastgate.yaml lists them."
            )
            raise OperationError("invalid", told)
        return receivers

    def retry(self, asked: shapes.AlertRetry, actor: str) -> shapes.AlertRetried:
        """Tries dead deliveries again."""
        count = self._desk.outbox.retry(asked.ids, wall_ns()) if self._desk.in_use else 0
        if count:
            subject = "all" if asked.ids is None else ",".join(map(str, asked.ids))[:200]
            self._audit.note(Change("retry", "alert", subject, None, {"deliveries": count}), actor)
        return shapes.AlertRetried(count)


def alert_of(number: int, notice: Notice, deliveries: list[Delivery]) -> shapes.Alert:
    return shapes.Alert(
        id=number,
        at=rfc3339(notice.at_ns),
        kind=notice.kind,
        severity=notice.severity,
        topic=notice.topic,
        title=notice.title,
        text=notice.text,
        facts=dict(notice.facts),
        deliveries=[delivery_of(one) for one in deliveries],
    )


def delivery_of(one: Delivery) -> shapes.AlertDelivery:
    return shapes.AlertDelivery(
        one.id,
        one.receiver.channel,
        one.receiver.to or None,
        one.state,
        one.attempts,
        one.error,
        rfc3339(one.due_ns) if one.state == "pending" else None,
        rfc3339(one.sent_ns) if one.sent_ns else None,
    )
