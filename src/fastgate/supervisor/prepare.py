"""All that must be true before anything is started, and one clear sentence for each thing that is not.

Leaves the state locked and the board open. Starts no process.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from fastgate import proc
from fastgate.board import Board
from fastgate.caching.semantic.trial import SECTION, wrong_with
from fastgate.caching.settings import CacheSettings
from fastgate.config import Config, Tls, load_config, worker_count
from fastgate.config_checks import split_address
from fastgate.runinfo import admin_token
from fastgate.state import StateDir, StateError, WriterLock
from fastgate.tree import ConfigErrors, Problem

REFUSED = 1
BAD_INPUT = 2
"""Exit codes of the command line (docs: the contract)."""


class StartError(Exception):
    """Why the gateway does not start: a sentence, what to do about it, and how the command ends."""

    def __init__(self, message: str, fix: str = "", exit_code: int = REFUSED) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.exit_code = exit_code


@dataclass(frozen=True)
class Prepared:
    """What the supervisor works with from here on."""

    config_path: Path
    config: Config
    warnings: list[Problem]
    state: StateDir
    lock: WriterLock
    board: Board
    token: str
    workers: int
    open_files: int

    def close(self) -> None:
        self.board.close()
        self.lock.release()


def prepare(config_path: Path, workers: int | None) -> Prepared:
    """Checks the configuration, takes limits and the state, and sees that both ports are free. Raises StartError."""
    config, warnings = read_config(config_path)
    _, open_files = proc.take_limits()
    state = StateDir(config.state)
    try:
        state.create()
        lock = WriterLock(state.instance_lock, "a running gateway")
    except StateError as error:
        raise StartError(f"{error}.") from None
    try:
        for name, address in (("listen", config.listen), ("control.listen", config.control.listen)):
            require_free(name, address)
        if config.tls is not None:
            require_certificate(config.tls)
        require_model(config.cache)
        try:
            board = Board.open(state.board)
            token = admin_token(config, state)
        except OSError as error:
            raise StartError(f"{state.path} cannot be used: {error}.", "set its owner, or another `state`") from None
        board.draining = False
        board.stop_at_ns = 0
    except BaseException:
        lock.release()
        raise
    count = workers if workers is not None else worker_count(config)
    return Prepared(config_path.absolute(), config, warnings, state, lock, board, token, count, open_files)


def read_config(path: Path) -> tuple[Config, list[Problem]]:
    """The configuration, every mistake of it in one error."""
    try:
        return load_config(path, os.environ)
    except ConfigErrors as errors:
        lines = "\n".join(f"  {problem}" for problem in errors.problems)
        raise StartError(
            f"the configuration has errors.\n{lines}", "mend the file; `fastgate check` reads it again", BAD_INPUT
        ) from None


def require_certificate(tls: Tls) -> None:
    """Whether the certificate and its key can be served."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.cert, tls.key, password="")
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"`tls`: {tls.cert} and {tls.key} are no certificate and its key ({error}).",
            "give both as PEM, the key without a passphrase",
        ) from None


def require_model(cache: CacheSettings | None) -> None:
    """Whether the semantic cache's model can be used, where it is one in files."""
    wrong = wrong_with(cache)
    if wrong is not None:
        raise StartError(f"`{SECTION}`: {wrong}.", "mend it, or leave `embedder` out", BAD_INPUT)


def require_free(name: str, address: str) -> None:
    """Whether `address` can be bound. Granian shares a port with any process of the same user that shares it too
    (SO_REUSEPORT), so a second gateway would silently take half of the calls: this look does not share."""
    host, port = split_address(address)
    where = f"`{name}: {address}`"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise StartError(f"{where} names a host that cannot be resolved.", "write an address like 127.0.0.1") from None
    family, kind, protocol, _, target = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(target)
        except OSError as error:
            raise _not_free(where, name, port, error) from None


def _not_free(where: str, name: str, port: int, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        owner = proc.listener_of(port) or "another process"
        return StartError(f"{where}: port {port} is taken by {owner}.", f"stop it, or give `{name}` another port")
    if error.errno == errno.EADDRNOTAVAIL:
        return StartError(f"{where}: this machine does not have that address.", "write 127.0.0.1, or 0.0.0.0 for all")
    if error.errno == errno.EACCES:
        return StartError(
            f"{where}: this user may not listen on port {port}.", "use a port above 1023, or give the capability"
        )
    return StartError(f"{where} cannot be listened on: {error.strerror}.")
