"""What `diagnose` asks of the machine and the network: ports, proxies, disk, clock, endpoints.

Endpoints on this machine are connected to; others only when asked to probe.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastgate.clock import wall_ns
from fastgate.config_checks import is_loopback, split_address
from fastgate.control.findings import Finding, Subject
from fastgate.times import NS, rfc3339

if TYPE_CHECKING:
    from fastgate.config_endpoints import Endpoint

PROBE_S = 5.0
"""How long one connection may take."""

SKEW_S = 60
"""A clock that is off by more makes expiry, periods and certificates wrong."""

LITTLE_DISK_BYTES = 1 << 30
"""About 1.5 million calls of journal and usage."""

LITTLE_DISK_INODES = 1000

REMOTE_FILESYSTEMS = frozenset(("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "glusterfs", "ceph"))
"""SQLite's write-ahead log needs shared memory between processes, which these do not give."""

PROXY_NAMES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def proxies(environ: Mapping[str, str], listen: str) -> Iterator[Finding]:
    """A proxy in the environment: clients would send the gateway's calls to it, and the gateway itself uses none."""
    named = [name for name in PROXY_NAMES if environ.get(name)]
    if not named:
        return
    host = ANYWHERE.get(split_address(listen)[0], split_address(listen)[0])
    spared = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not urllib.request.proxy_bypass_environment(host, {"no": spared}):  # type: ignore[attr-defined]
        told = f"{', '.join(named)} would send calls for {host} through a proxy"
        yield Finding("proxy", "warning", told, f"export NO_PROXY={','.join(filter(None, (spared, host)))}")
    told = f"{', '.join(named)} is set; the gateway connects to its endpoints directly and uses no proxy"
    fix = "if this network needs the proxy to reach the provider, put its address into the endpoint's base_url"
    yield Finding("proxy", "warning", told, fix)


def accept_backlog() -> int:
    """net.core.somaxconn, 0 where it cannot be read."""
    try:
        return int(Path("/proc/sys/net/core/somaxconn").read_text())
    except (OSError, ValueError):
        return 0


def cannot_bind(address: str) -> str:
    """Why `address` cannot be listened on, empty when it can."""
    host, port = split_address(address)
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as plug:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            plug.bind(target)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def accepts(address: str) -> bool:
    """Whether something answers there."""
    host, port = split_address(address)
    try:
        socket.create_connection((ANYWHERE.get(host, host), port), PROBE_S).close()
    except OSError:
        return False
    return True


def target(url: str) -> tuple[str, int]:
    """Host and port of a URL; ("", 0) when it is none."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", 0


def disk(path: Path) -> Iterator[Finding]:
    """Room and kind of the file system of the state."""
    free_bytes = shutil.disk_usage(path).free
    inodes = os.statvfs(path)
    if free_bytes < LITTLE_DISK_BYTES or (inodes.f_files > 0 and inodes.f_favail < LITTLE_DISK_INODES):
        told = f"{path} has {free_bytes >> 20} MiB and {inodes.f_favail} files left"
        yield Finding("disk", "warning", told, "make room: a call that cannot be recorded makes a worker unready")
    kind = filesystem_of(path)
    if kind in REMOTE_FILESYSTEMS:
        told = f"{path} is on {kind}, where the state's databases and locks do not work reliably"
        yield Finding("state", "error", told, "set `state` to a directory on a local disk")
    elif kind == "tmpfs":
        told = f"{path} is in memory (tmpfs): keys and spend are gone after a reboot"
        yield Finding("state", "warning", told, "set `state` to a directory on a disk")


def filesystem_of(path: Path) -> str:
    """The type of the file system that holds `path`, empty if unknown."""
    best, found = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            _, place, kind, *_ = line.split(" ")
            place = place.encode("latin-1", "replace").decode("unicode_escape")
            if path.resolve().is_relative_to(place) and len(place) >= len(best):
                best, found = place, kind
    return found


def clock(subject: Subject) -> Iterator[Finding]:
    """A clock that stands before what was already recorded has been set back."""
    newest_ns = 0
    for path in subject.state.journal_dir.glob("*/*.fgj"):
        with contextlib.suppress(OSError):
            newest_ns = max(newest_ns, path.stat().st_mtime_ns)
    if newest_ns > wall_ns() + SKEW_S * NS:
        told = f"the clock stands at {rfc3339(wall_ns())}, but a call was recorded at {rfc3339(newest_ns)}"
        yield Finding("clock", "error", told, "set the clock: `timedatectl set-ntp true`")


def endpoints(subject: Subject, probe: bool) -> Iterator[Finding]:
    """Whether each endpoint can be connected to."""
    for endpoint in subject.config.endpoints:
        host, port = target(endpoint.base_url)
        if not probe and not is_loopback(host):
            told = f"endpoint {endpoint.name} ({host}:{port}) was not connected to"
            yield Finding("endpoint", "ok", told, "`fastgate doctor --probe` does")
            continue
        try:
            date = _date_of(endpoint, host, port)
        except ssl.SSLError as error:
            told = (
                f"endpoint {endpoint.name}: {host}:{port} does not speak TLS that is trusted: {error.reason or error}"
            )
            fix = "check `base_url` and `ca_file`; install ca-certificates: `sudo apt-get install -y ca-certificates`"
            yield Finding("endpoint", "error", told, fix)
        except (OSError, http.client.HTTPException) as error:
            told = f"endpoint {endpoint.name}: {host}:{port} cannot be reached: {error}"
            yield Finding("endpoint", "error", told, "check `base_url`, name resolution and the firewall")
        else:
            yield Finding("endpoint", "ok", f"endpoint {endpoint.name} answers on {host}:{port}")
            yield from _skew(endpoint.name, date)


def _date_of(endpoint: Endpoint, host: str, port: int) -> str:
    """The Date of the answer to one HEAD, which needs no key and costs nothing."""
    connection: http.client.HTTPConnection
    if endpoint.base_url.startswith("https://"):
        context = ssl.create_default_context(cafile=endpoint.ca_file or None)
        connection = http.client.HTTPSConnection(host, port, timeout=PROBE_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=PROBE_S)
    try:
        connection.request("HEAD", "/")
        return connection.getresponse().getheader("date") or ""
    finally:
        connection.close()


def _skew(name: str, date: str) -> Iterator[Finding]:
    try:
        theirs_s = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return
    skew_s = wall_ns() / NS - theirs_s
    if abs(skew_s) > SKEW_S:
        told = f"this machine's clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} endpoint {name}"
        yield Finding("clock", "error", told, "set the clock: `timedatectl set-ntp true`")
