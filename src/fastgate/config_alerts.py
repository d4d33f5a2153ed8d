"""The `alerts` section of fastgate.yaml: channels, who hears what, how often. Shapes and their checks.

Must not know how a channel is spoken to (control/alerts/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from fastgate.amounts import USD_PLACES, usd_problem
from fastgate.config_checks import NAME, SECRET_TEXT, is_loopback
from fastgate.refs import Secret
from fastgate.strict import BAD, Check, Range
from fastgate.tree import Problem

Kind = Literal["slack", "teams", "discord", "pagerduty", "email", "webhook"]

_EMAIL = re.compile(r"[^@\s\x00-\x1f<>,;\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9_])?")


def email_problem(value: str) -> str | None:
    return None if _EMAIL.fullmatch(value) else "is not an e-mail address"


def is_email(value: str) -> bool:
    return _EMAIL.fullmatch(value) is not None


def _webhook(value: Secret) -> str | None:
    try:
        url = urlsplit(value.reveal())
        host, _ = url.hostname or "", url.port
    except ValueError:
        return "is not a URL"
    if url.scheme not in ("http", "https") or not host or not value.reveal().isascii() or " " in value.reveal():
        return "must be a URL, like https://hooks.example/..."
    if url.scheme == "http" and not is_loopback(host):
        return "must begin with https://: the address is a secret, and so is what is sent to it"
    return None


def _base(value: str) -> str | None:
    return _webhook(Secret(value)) if value else None


def _host(value: str) -> str | None:
    return None if value == "" or _HOST.fullmatch(value) else "must be a host's name or address"


WEBHOOK = Check(_webhook)
EMAIL = Check(email_problem)


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One way out. What it needs depends on its kind."""

    name: Annotated[str, NAME]
    """Names it in routes, cost centres and `fastgate alerts`; unique."""
    kind: Kind
    """What is spoken there."""
    webhook: Annotated[Secret, WEBHOOK] | None = None
    """The incoming webhook's address, best as `${VAR}`: whoever knows it can post. slack, teams, discord, webhook."""
    token: Annotated[Secret, SECRET_TEXT] | None = None
    """slack: a bot token (`xoxb-…`; scopes chat:write, users:read.email, im:write). It can also reach users by direct
    message."""
    channel: str = ""
    """slack with a token: the id of the channel to post to; empty: direct messages only."""
    routing_key: Annotated[Secret, SECRET_TEXT] | None = None
    """pagerduty: the integration key of an Events API v2 integration."""
    secret: Annotated[Secret, SECRET_TEXT] | None = None
    """webhook: signs every message with HMAC-SHA-256."""
    host: Annotated[str, Check(_host)] = ""
    """email: the SMTP server."""
    port: Annotated[int, Range(1, 65_535)] = 587
    """email: its port; 587 is for submission (RFC 6409)."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """email: starttls upgrades the connection or fails; tls begins encrypted (port 465); none is for a relay on
    loopback."""
    user: str = ""
    """email: for authentication; empty: none."""
    password: Annotated[Secret, SECRET_TEXT] | None = None
    """email: the user's password."""
    sender: Annotated[str, EMAIL] | None = None
    """email: the address that messages come from."""
    to: tuple[Annotated[str, EMAIL], ...] = ()
    """email: who gets what goes to this channel; empty: it only reaches users and owners."""
    ca_file: str = ""
    """PEM file of the authorities trusted for this channel; empty: the system's."""
    base_url: Annotated[str, Check(_base)] = ""
    """slack with a token, pagerduty: another address of the API, such as https://events.eu.pagerduty.com."""
    digest_s: Annotated[int, Range(0, 7 * 86_400)] = 0
    """Alerts are collected this long and sent as one message; those that say that calls are refused do not wait."""


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told when budgets reach their stages and when the gateway needs its operator."""

    channels: tuple[Channel, ...] = ()
    """Ways out."""
    fallback: tuple[Annotated[str, NAME], ...] = ()
    """Channels for what no cost centre with channels or an owner is responsible for."""
    operators: tuple[Annotated[str, NAME], ...] = ()
    """Channels for what the gateway's operator must mend; empty: the fallback."""
    users: tuple[Annotated[str, NAME], ...] = ()
    """Channels through which users hear of their own budgets and owners of their cost centres, by e-mail address: of
    kind email, or slack with a token."""
    prompt_cache_usd: Annotated[Decimal, Check(usd_problem)] = Decimal(5)
    """A session whose breaks of the provider's prompt cache cost more than this is told of, to the operators."""
    cooldown_s: Annotated[int, Range(0, 86_400)] = 300
    """After a message what else comes for the same receiver is collected this long, a minute at most where calls are
    refused: two hundred budgets that run out together are two messages."""

    @property
    def prompt_cache_nano(self) -> int:
        return int(self.prompt_cache_usd.scaleb(USD_PLACES))


def alert_faults(alerts: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(place under `alerts`, what is wrong) across its fields."""
    if alerts is BAD:
        return
    first: dict[str, int] = {}
    for index, channel in enumerate(alerts.channels):
        if channel is BAD:
            continue
        path = ("channels", index)
        if channel.name is not BAD and first.setdefault(channel.name, index) != index:
            yield (*path, "name"), f"{channel.name} is also the name of channels[{first[channel.name]}]"
        for field, wrong in _channel_faults(channel):
            yield (*path, field) if field else path, wrong
    personal = {channel.name for channel in alerts.channels if channel is not BAD and reaches_people(channel)}
    general = {channel.name for channel in alerts.channels if channel is not BAD and has_place(channel)}
    for field in ("fallback", "operators", "users"):
        for index, name in enumerate(getattr(alerts, field)):
            if name is BAD:
                continue
            if name not in first:
                yield (field, index), f"{name} is not the name of a channel"
            elif field == "users" and name not in personal:
                yield (field, index), f"{name} cannot reach single users; email can, and slack with a token"
            elif field != "users" and name not in general:
                yield (field, index), f"{name} only reaches single users; it needs `to` or `channel`"


def reaches_people(channel: Channel) -> bool:
    """Whether it can be addressed to one person."""
    return channel.kind == "email" or (channel.kind == "slack" and channel.token is not None)


def has_place(channel: Channel) -> bool:
    """Whether it has a place of its own to send to."""
    if channel.kind == "email":
        return bool(channel.to)
    return channel.kind != "slack" or channel.webhook is not None or bool(channel.channel)


NEEDS: dict[str, tuple[str, ...]] = {
    "teams": ("webhook",),
    "discord": ("webhook",),
    "pagerduty": ("routing_key",),
    "email": ("host", "sender"),
    "webhook": ("webhook", "secret"),
}


def _channel_faults(channel: Any) -> Iterator[tuple[str, str]]:
    for field in NEEDS.get(channel.kind, ()):
        if getattr(channel, field) in (None, ""):
            yield field, f"missing; a channel of kind {channel.kind} needs one"
    if channel.kind == "slack" and (channel.webhook is None) == (channel.token is None):
        yield "", "needs exactly one of webhook and token"
    if channel.kind == "slack" and channel.webhook is not None and channel.channel:
        yield "channel", "is for a token; a webhook's channel is chosen where it was made"
    if channel.kind == "email" and bool(channel.user) != (channel.password is not None):
        yield "user", "needs a password, and a password a user"
    if channel.kind == "email" and channel.tls == "none" and channel.host and not is_loopback(channel.host):
        yield "tls", "none is for a relay on loopback; others see what is sent"


def unheard(alerts: Alerts, named: Iterable[tuple[str, Sequence[str]]], file: str) -> Iterator[Problem]:
    """Channels that cost centres name and nobody has configured: what would go there goes to the fallback. `named` are
    the cost centres' (id, channels) in the order of the file."""
    known = {channel.name for channel in alerts.channels}
    for index, (center, channels) in enumerate(named):
        for name in channels:
            if name not in known:
                told = f"{center} names the alert channel {name}, which fastgate.yaml does not have"
                yield Problem(file, 0, f"cost_centers[{index}].alerts", told)
