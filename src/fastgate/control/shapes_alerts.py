"""What the admin API and the command line are given about alerts."""

from __future__ import annotations

from typing import Literal

import msgspec

from fastgate.control.shapes import Moment


class AlertDelivery(msgspec.Struct, frozen=True):
    """How far an alert is with one receiver. `to` is an e-mail address, null for the channel's own place. `due` is when
    it is tried next, null where it will not be."""

    id: int
    channel: str
    to: str | None
    state: Literal["pending", "sent", "dead"]
    attempts: int
    error: str
    due: Moment | None
    sent: Moment | None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that was raised, and whom it goes to."""

    id: int
    at: Moment
    kind: str
    severity: str
    topic: str
    title: str
    text: str
    facts: dict[str, str]
    deliveries: list[AlertDelivery]


class AlertChannel(msgspec.Struct, frozen=True):
    """A channel of fastgate.yaml, without its secrets. `people`: it can reach single users."""

    name: str
    kind: str
    people: bool
    place: bool


class AlertTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which channel to try, all with a place of their own when empty; `to` reaches one person there."""

    channel: str = ""
    to: str = ""


class AlertTried(msgspec.Struct, frozen=True):
    """How one attempt ended."""

    channel: str
    to: str | None
    ok: bool
    error: str


class AlertRetry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead deliveries to try again; null is all."""

    ids: list[int] | None = None


class AlertRetried(msgspec.Struct, frozen=True):
    retried: int
