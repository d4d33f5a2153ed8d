"""Tests of single values that fastgate.yaml and directory.yaml share: names, addresses, URLs, secrets.

Each gives what is wrong with a value, or None; none repeats the value, which may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from fastgate.refs import Secret
from fastgate.strict import Check

MAX_PORT = 65_535
"""A TCP port is 16 bits."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PREFIX = re.compile(r"x-[a-z0-9]+(-[a-z0-9]+)*")
_VERSION_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")


def split_address(address: str) -> tuple[str, int]:
    """`127.0.0.1:8080` or `[::1]:8080` as (host, port). Raises ValueError with what is wrong."""
    host, colon, port = address.rpartition(":")
    if not colon or (port.endswith("]") and address.startswith("[")):
        raise ValueError("must be ADDRESS:PORT, like 127.0.0.1:8080")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError("must hold an IPv6 address between the brackets, like [::1]:8080") from None
    elif ":" in host:
        raise ValueError("must hold an IPv6 address in brackets, like [::1]:8080")
    elif not _HOST.fullmatch(host):
        raise ValueError("must begin with an address, like 127.0.0.1:8080 (0.0.0.0 for all)")
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= MAX_PORT):
        raise ValueError(f"must end in a port from 1 to {MAX_PORT}")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(value: str) -> str | None:
    try:
        split_address(value)
    except ValueError as error:
        return str(error)
    return None


def _base_url(value: str) -> str | None:
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        return "is not a URL"
    if url.scheme not in ("http", "https"):
        return "must begin with https:// or http://"
    if not url.hostname or port == 0 or not _VISIBLE.fullmatch(value):
        return "must hold a host, like https://api.anthropic.com"
    if url.username is not None or url.password is not None:
        return "must not hold a user or password; use api_key"
    if "?" in value or "#" in value:
        return "must not hold a query or fragment"
    if url.path.rstrip("/").endswith("/messages"):
        return "must be the address before /v1/messages"
    return None


def _secret_text(value: Secret) -> str | None:
    if not value.reveal():
        return "is empty"
    if not _VISIBLE.fullmatch(value.reveal()):
        return "must be visible ASCII without spaces (is there a line break at its end?)"
    return None


def _name(value: str) -> str | None:
    if _NAME.fullmatch(value):
        return None
    return "must be 1 to 64 letters, digits, dots, dashes or underscores, and begin with a letter or digit"


def _prefix(value: str) -> str | None:
    return None if _PREFIX.fullmatch(value) else "must be lower case and begin with x-, like x-fastgate"


def _place(value: str) -> str | None:
    """A region, project or resource: a part of a host name or a path."""
    return None if _PLACE.fullmatch(value) else "must be letters, digits, dots, colons and dashes"


def _version_date(value: str) -> str | None:
    return None if _VERSION_DATE.fullmatch(value) else "must be a version date, like 2023-06-01"


def _format_version(value: int) -> str | None:
    return None if value == 1 else "this version of fastgate reads files of version 1"


ADDRESS = Check(_address)
BASE_URL = Check(_base_url)
FORMAT_VERSION = Check(_format_version)
HEADER_PREFIX = Check(_prefix)
NAME = Check(_name)
PLACE = Check(_place)
SECRET_TEXT = Check(_secret_text)
VERSION_DATE = Check(_version_date)
