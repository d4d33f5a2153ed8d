"""`fastgate statusline`: a developer's own remaining budget, for Claude Code's status line. It runs often.

Speaks to the gateway as Claude Code does, with the same address and key, over a plain socket; click and http.client
would take longer to import than the answer takes to come. Never fails: a status line that cannot tell says so.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from fastgate.amounts import PLACES, dollars, exact

WAIT_S = 1.0
"""Connecting and answering together. The gateway answers in milliseconds; nobody waits for a status line."""
INPUT_BYTES = 1 << 20
ANSWER_BYTES = 1 << 20
"""What is read at most. Claude Code sends about 2 KB, the gateway 400 bytes a budget."""

PATH = "/v1/fastgate/me"
TAG = "x-fastgate-tag-"
"""As fastgate.tags.HEADER (a test compares): that would cost more to import than all of this."""
COLOURS = {"ok": "32", "alert": "33", "downgrade": "33", "pause": "31"}
"""ANSI colours by stage: green, yellow, red."""


class NoAnswerError(Exception):
    """Why nothing can be shown, in a few words."""


def main() -> int:
    """Entry point without options: Claude Code's JSON on standard input, one line out."""
    sys.stdout.write(shown(os.environ, _session()) + "\n")
    return 0


def shown(environ: Mapping[str, str], session: str) -> str:
    """The line."""
    try:
        return line(ask(environ, session), colours=not environ.get("NO_COLOR"))
    except NoAnswerError as error:
        return f"fastgate: {error}"


def _session() -> str:
    """The session that Claude Code tells of; empty where a person runs this."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    try:
        told = json.loads(sys.stdin.buffer.read(INPUT_BYTES) or b"{}")
    except ValueError:
        return ""
    session = told.get("session_id", "") if isinstance(told, dict) else ""
    return session if isinstance(session, str) and session.isprintable() and session.isascii() else ""


def ask(environ: Mapping[str, str], session: str = "") -> dict[str, Any]:
    """What the gateway says of the key in the environment. Raises NoAnswerError."""
    status, answer = speak(environ, "GET", PATH, session)
    if status != 200 or answer is None:
        _, host, port, _ = _split(environ["ANTHROPIC_BASE_URL"])
        raise NoAnswerError(f"{host}:{port} is no fastgate")
    return answer


def speak(
    environ: Mapping[str, str], method: str, path: str, session: str = "", body: bytes = b"", wait_s: float = WAIT_S
) -> tuple[int, dict[str, Any] | None]:
    """One request with the key in the environment: status, and the JSON object that came. Raises NoAnswerError."""
    base = environ.get("ANTHROPIC_BASE_URL", "")
    key = environ.get("ANTHROPIC_AUTH_TOKEN") or environ.get("ANTHROPIC_API_KEY", "")
    if not base or not key:
        raise NoAnswerError("ANTHROPIC_BASE_URL and ANTHROPIC_AUTH_TOKEN are not set")
    secure, host, port, prefix = _split(base)
    head = f"{method} {prefix}{path} HTTP/1.0\r\nhost: {host}:{port}\r\nauthorization: Bearer {key}\r\n"
    if body:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    if session:
        head += f"x-claude-code-session-id: {session}\r\n"
    head += tags_of(environ)
    try:
        raw = _exchange(secure, host, port, (head + "\r\n").encode("latin-1") + body, environ, wait_s)
    except (OSError, UnicodeError):
        raise NoAnswerError(f"{host}:{port} does not answer") from None
    status, _, rest = raw.partition(b"\r\n")
    _, _, text = rest.partition(b"\r\n\r\n")
    words = status.split(b" ")
    if len(words) > 1 and words[1] == b"401":
        raise NoAnswerError("the gateway does not accept this key")
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if len(words) < 2 or not words[1].isdigit():
        raise NoAnswerError(f"{host}:{port} is no fastgate")
    return int(words[1]), answer if isinstance(answer, dict) else None


def tags_of(environ: Mapping[str, str]) -> str:
    """Header lines of the tags that Claude Code sets on its calls: budgets may be of them."""
    lines = environ.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines()
    named = [line.strip() for line in lines if line.strip().lower().startswith(TAG) and ":" in line]
    return "".join(f"{line}\r\n" for line in named if line.isascii() and line.isprintable())


def _split(base: str) -> tuple[bool, str, int, str]:
    """Whether over TLS, host, port and path of a base URL."""
    scheme, _, rest = base.partition("://")
    place, slash, path = rest.partition("/")
    host, colon, port = place.rpartition(":")
    if not colon or "]" in port:
        host, port = place, ""
    secure = scheme == "https"
    if scheme not in ("http", "https") or not (port.isdigit() or not port) or not host:
        raise NoAnswerError("ANTHROPIC_BASE_URL is no address")
    return (
        secure,
        host.strip("[]"),
        int(port or (443 if secure else 80)),
        (slash + path).rstrip("/").removesuffix("/v1"),
    )


def _exchange(secure: bool, host: str, port: int, request: bytes, environ: Mapping[str, str], wait_s: float) -> bytes:
    from time import monotonic

    end = monotonic() + wait_s
    connection = socket.create_connection((host, port), wait_s)
    try:
        if secure:
            import ssl

            context = ssl.create_default_context()
            if environ.get("NODE_EXTRA_CA_CERTS"):
                context.load_verify_locations(environ["NODE_EXTRA_CA_CERTS"])
            connection = context.wrap_socket(connection, server_hostname=host)
        connection.sendall(request)
        raw = b""
        while len(raw) < ANSWER_BYTES:
            connection.settimeout(max(end - monotonic(), 0.01))
            chunk = connection.recv(65536)
            if not chunk:
                break
            raw += chunk
        return raw
    finally:
        connection.close()


def line(me: Mapping[str, Any], colours: bool = False) -> str:
    """What is paused, else the tightest budget and the session's own, else that there is none."""
    if me.get("pauses"):
        pause = me["pauses"][0]
        return _coloured(
            f"paused: {pause['level']} {pause['of']} by {pause['by']}: {pause['reason']}", "pause", colours
        )
    budgets = sorted(me.get("budgets") or [], key=lambda budget: _nano(budget["remaining"]))
    if not budgets:
        return f"{me.get('user') or me.get('key')}: no budget applies"
    of_session = [budget for budget in budgets if budget["of"].startswith("session=")]
    others = [budget for budget in budgets if budget not in of_session]
    parts = [_part(budget, budget["id"], colours) for budget in others[:1]]
    parts += [_part(budget, "this session", colours) for budget in of_session[:1]]
    return " · ".join(parts)


def _part(budget: Mapping[str, Any], name: str, colours: bool) -> str:
    total = budget["ceiling"] or budget["limit"]
    stage = budget["stage"]
    words = [name]
    if budget.get("increases"):
        words.append("raised")
    waiting = sum(_nano(each["usd"]) for each in budget.get("requests") or [] if each["state"] == "requested")
    if waiting:
        words.append(f"${exact(waiting)} asked for")
    if stage != "ok":
        words.append(stage)
    if budget["resets_at"]:
        words.append("resets " + _when(budget["resets_at"]))
    money = _coloured(f"${dollars(_nano(budget['remaining']))} left", stage, colours)
    return f"{money} of ${exact(_nano(total))} ({', '.join(words)})"


def _nano(usd: str) -> int:
    """Decimal dollars in nano-dollars; 0 where they are fewer."""
    whole, _, rest = usd.partition(".")
    return 0 if usd.startswith("-") else int(whole + rest[:PLACES].ljust(PLACES, "0"))


def _when(moment: str) -> str:
    """The hour where it is today, else the day; in the developer's own time zone."""
    from datetime import datetime

    at = datetime.fromisoformat(moment).astimezone()
    now = datetime.now().astimezone()
    return f"at {at:%H:%M}" if (at - now).total_seconds() < 86400 else f"on {at.day} {at:%b}"


def _coloured(text: str, stage: str, colours: bool) -> str:
    return f"\x1b[{COLOURS.get(stage, '0')}m{text}\x1b[0m" if colours else text
