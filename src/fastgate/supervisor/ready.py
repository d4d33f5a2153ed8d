"""How the supervisor knows that a child is ready: what it answers on its port, or what it says through the pipe."""

from __future__ import annotations

import http.client
import socket
import ssl

import msgspec

from fastgate.config_checks import split_address
from fastgate.supervisor.prepare import StartError

ANSWER_S = 2.0
"""How long one look may take; a starting child does not answer yet, a busy machine answers late."""

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where this machine reaches a socket that listens on all addresses."""


class Failure(msgspec.Struct):
    """What a child that cannot start says: one line of JSON."""

    error: str
    fix: str = ""
    exit_code: int = 1


def reachable(address: str) -> str:
    """`address` as this machine can connect to it."""
    host, port = split_address(address)
    host = ANYWHERE.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def accepts(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((ANYWHERE.get(host, host), port), ANSWER_S).close()
    except OSError:
        return False
    return True


def answers_ready(host: str, port: int, tls: bool) -> bool:
    """Whether a data plane there says that it is ready."""
    connection = http.client.HTTPConnection(ANYWHERE.get(host, host), port, timeout=ANSWER_S)
    if tls:  # our own child, on our own machine: its certificate names another host
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(ANYWHERE.get(host, host), port, timeout=ANSWER_S, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def failure_told(said: bytes) -> StartError | None:
    """The failure in what a child said, None when it is ready or has not said anything whole."""
    if not said.endswith(b"\n") or said == b"ready\n":
        return None
    try:
        failure = msgspec.json.decode(said, type=Failure)
    except msgspec.MsgspecError:
        return StartError(f"the control plane said {said[:200].decode(errors='replace')!r} instead of ready.")
    return StartError(failure.error, failure.fix, failure.exit_code)
