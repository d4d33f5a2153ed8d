"""One attempt to send one message through one channel, over HTTP or SMTP. Blocking; runs in threads.

Owns timeouts, what an answer means, and that no secret is in an error: addresses of webhooks are secrets. Must not know
what is sent when.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from fastgate.clock import wall_ns
from fastgate.config_alerts import Channel
from fastgate.control.alerts import payload
from fastgate.control.alerts.notice import Notice, incident_of
from fastgate.times import NS

TIMEOUT_S = 10.0
"""Of a connection and of each wait for an answer: services answer in a second or are down."""

ANSWER_BYTES = 16 * 1024
TOLD_CHARS = 200
"""Of an answer in an error."""

WAIT_MAX_S = 6 * 3600.0
"""The longest that a service's retry-after is obeyed."""

SLACK_API = "https://slack.com"
PAGERDUTY_API = "https://events.pagerduty.com"

SIGNATURE = "x-fastgate-signature"
"""`t=UNIX,v1=HEX`: HMAC-SHA-256 of `UNIX.BODY` with the channel's secret."""

FINAL = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 422})
"""Statuses that the same message would meet again."""

SLACK_AGAIN = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})
"""Errors of Slack's Web API that pass; it answers them with status 200."""


class SendError(Exception):
    """An attempt that failed. `final`: it would fail again. `wait_s`: what the service asks for."""

    def __init__(self, message: str, *, final: bool = False, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.final = final
        self.wait_s = wait_s


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def send(channel: Channel, to: str, notices: Sequence[Notice], key: str) -> None:
    """Sends `notices` as one message, to the channel's own place or to the person with the address `to`. `key` is the
    same whenever these are sent again. Raises SendError."""
    try:
        match channel.kind:
            case "email":
                _mail(channel, [to] if to else list(channel.to), notices, key)
            case "slack" if channel.token is not None:
                _slack_api(channel, to, notices)
            case "slack":
                _post(channel, _url(channel), payload.slack(notices))
            case "teams":
                _post(channel, _url(channel), payload.teams(notices))
            case "discord":
                _post(channel, _url(channel), payload.discord(notices))
            case "pagerduty":
                _pagerduty(channel, notices)
            case "webhook":
                _signed(channel, payload.webhook(notices, key), key)
    except ssl.SSLError as error:
        raise SendError(f"TLS: {error.reason or type(error).__name__}") from None
    except OSError as error:
        raise SendError(f"cannot connect: {error.strerror or type(error).__name__}") from None
    except http.client.HTTPException as error:
        raise SendError(f"no HTTP answer: {type(error).__name__}") from None


def _url(channel: Channel) -> str:
    assert channel.webhook is not None  # the configuration's checks
    return channel.webhook.reveal()


def _context(channel: Channel) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=channel.ca_file or None)


# -- HTTP -------------------------------------------------------------------------------------------------------------


def _ask(
    channel: Channel, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request, its answer whatever the status. No redirect is followed."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = _context(channel)
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"user-agent": "fastgate", "accept": "application/json", **(headers or {})}
    if body is not None:
        sent.setdefault("content-type", "application/json; charset=utf-8")
    try:
        connection.request(method, target, body, sent)
        response = connection.getresponse()
        raw = response.read(ANSWER_BYTES)
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, raw)
    finally:
        connection.close()


def _accepted(answer: Answer) -> Answer:
    """The answer of a request that was taken. Raises SendError."""
    if 200 <= answer.status < 300:
        return answer
    told = " ".join(answer.body.decode("utf-8", "replace").split())[:TOLD_CHARS]
    message = f"answered {answer.status}" + (f": {told}" if told.isprintable() and told else "")
    raise SendError(message, final=answer.status in FINAL, wait_s=_wait_s(answer.headers))


def _wait_s(headers: Mapping[str, str]) -> float | None:
    """`retry-after` in seconds; a date is not obeyed, back-off is long enough."""
    try:
        return min(max(float(headers.get("retry-after", "")), 0.0), WAIT_MAX_S)
    except ValueError:
        return None


def _post(channel: Channel, url: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return _accepted(_ask(channel, "POST", url, raw, headers))


def _pagerduty(channel: Channel, notices: Sequence[Notice]) -> None:
    """An event for each alert: each becomes an incident of its own."""
    assert channel.routing_key is not None
    url = f"{channel.base_url.rstrip('/') or PAGERDUTY_API}/v2/enqueue"
    for notice in notices:
        _post(channel, url, payload.pagerduty(notice, channel.routing_key.reveal(), incident_of(notice)))


def _signed(channel: Channel, body: Any, key: str) -> None:
    assert channel.secret is not None
    raw = json.dumps(body, ensure_ascii=False).encode()
    headers = {SIGNATURE: signature(channel.secret.reveal(), wall_ns() // NS, raw), "idempotency-key": key}
    _post(channel, _url(channel), raw, headers)


def signature(secret: str, at_s: int, body: bytes) -> str:
    """The header that proves who sent a body, and when: a receiver refuses old ones."""
    return f"t={at_s},v1={hmac.new(secret.encode(), f'{at_s}.'.encode() + body, hashlib.sha256).hexdigest()}"


# -- Slack's Web API --------------------------------------------------------------------------------------------------


def _slack_api(channel: Channel, to: str, notices: Sequence[Notice]) -> None:
    """To the channel's place, or as a direct message to the member with this address."""
    place = channel.channel
    if to:
        member = _slack(channel, "GET", f"users.lookupByEmail?email={quote(to, safe='')}")["user"]["id"]
        place = _slack(channel, "POST", "conversations.open", {"users": member})["channel"]["id"]
    _slack(channel, "POST", "chat.postMessage", {"channel": place, **payload.slack(notices)})


def _slack(channel: Channel, method: str, call: str, body: Any = None) -> Any:
    """One method of the API. Errors come with status 200 and `ok: false`."""
    assert channel.token is not None
    url = f"{channel.base_url.rstrip('/') or SLACK_API}/api/{call}"
    raw = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    headers = {"authorization": f"Bearer {channel.token.reveal()}"}
    answer = _accepted(_ask(channel, method, url, raw, headers))
    name = call.partition("?")[0]
    try:
        told = json.loads(answer.body)
        if told["ok"] is True:
            return told
        error = str(told.get("error", "unknown"))[:TOLD_CHARS]
    except (ValueError, KeyError, TypeError):
        raise SendError(f"{name} answered something else than Slack does") from None
    raise SendError(f"{name}: {error}", final=error not in SLACK_AGAIN, wait_s=_wait_s(answer.headers))


# -- mail -------------------------------------------------------------------------------------------------------------


def _mail(channel: Channel, to: Sequence[str], notices: Sequence[Notice], key: str) -> None:
    """One mail. A server that takes it for some of its receivers has taken it."""
    assert channel.sender is not None
    message = payload.email(notices, channel.sender, to, key)
    try:
        with _smtp(channel) as server:
            if channel.user and channel.password is not None:
                server.login(channel.user, channel.password.reveal())
            server.send_message(message, channel.sender, to)
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        raise _mail_error(code, text) from None
    except smtplib.SMTPResponseException as error:
        raise _mail_error(error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPNotSupportedError as error:
        raise SendError(f"the server does not offer what is needed: {error}", final=True) from None
    except smtplib.SMTPException as error:
        raise SendError(f"no SMTP answer: {type(error).__name__}") from None


def _smtp(channel: Channel) -> smtplib.SMTP:
    if channel.tls == "tls":
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=TIMEOUT_S, context=_context(channel))
    server = smtplib.SMTP(channel.host, channel.port, timeout=TIMEOUT_S)
    if channel.tls == "starttls":
        try:
            server.starttls(context=_context(channel))
        except BaseException:
            server.close()
            raise
    return server


def _mail_error(code: int, text: bytes | str) -> SendError:
    """5yz would fail again (RFC 5321, 4.2.1); 4yz may pass."""
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return SendError(f"answered {code}: {' '.join(told.split())[:TOLD_CHARS]}", final=500 <= code < 600)
