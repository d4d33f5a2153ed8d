"""Which gateway a command means: the configuration file, the state directory it names, the instance that runs there.

Order: `-c FILE`, ./fastgate.yaml, $FASTGATE_CONFIG, the running instance in ./fastgate-data/run.json. Reads only what
it needs of each: a shell that lacks a provider's key can still list calls.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastgate.cli.failures import BadInput, Unreachable
from fastgate.cli.options import chosen_config

if TYPE_CHECKING:
    from fastgate.runinfo import RunInfo

CONFIG_NAME = "fastgate.yaml"
CONFIG_ENV = "FASTGATE_CONFIG"
STATE_NAME = "fastgate-data"
RUN_NAME = "run.json"

UNSET = "unset"
"""Stands in for a variable of fastgate.yaml. Passes as text, not as a number, and is too short for a secret."""
UNSET_SECRET_CHARS = 24
"""A stand-in of this length passes as a declared secret; used for reading only, where nothing is applied."""

NOTHING_FOUND = "there is no ./fastgate.yaml, $FASTGATE_CONFIG is not set, and no gateway runs in ./fastgate-data."
START_FIX = "`fastgate demo` starts one to try, `fastgate init` writes a configuration"


@dataclass(frozen=True)
class Place:
    """What the command is about: a configuration file where one is known, a state directory, the instance in it."""

    config: Path | None
    state: Path
    running: RunInfo | None


def config_path() -> Path | None:
    """The configuration file by the order above, the running instance aside. Raises BadInput when a named one is not
    there."""
    chosen = chosen_config()
    if chosen is not None:
        return _existing(chosen, "-c")
    if Path(CONFIG_NAME).is_file():
        return Path(CONFIG_NAME)
    named = os.environ.get(CONFIG_ENV)
    return _existing(Path(named), f"${CONFIG_ENV}") if named else None


def _existing(path: Path, source: str) -> Path:
    if not path.is_file():
        raise BadInput(f"{path} (from {source}) is not a file.", fix="`fastgate init` writes a configuration")
    return path


def known_config() -> Path | None:
    """The configuration file by the order above, that of the running instance last."""
    path = config_path()
    if path is not None:
        return path
    running = read_run(Path(STATE_NAME))
    if running is not None and running.config and Path(running.config).is_file():
        return Path(running.config)
    return None


def required_config() -> Path:
    """The configuration file of a command that cannot do without one."""
    path = known_config()
    if path is None:
        raise BadInput(NOTHING_FOUND, fix=START_FIX)
    return path


def find_place() -> Place:
    """What this invocation is about. Raises Unreachable where there is nothing to talk to."""
    config = config_path()
    if config is not None:
        state = state_of(config)
        running = read_run(state)
        if running is not None and running.state and Path(running.state).resolve() != state.resolve():
            running = None  # the demo's pointer: that instance has another configuration and another state
        return Place(config, state, running)
    state = Path(STATE_NAME)
    running = read_run(state)
    if running is None:
        raise Unreachable(NOTHING_FOUND, fix=START_FIX)
    named = Path(running.config) if running.config else None
    return Place(named, Path(running.state) if running.state else state, running)


def lenient_environ(config: Path, directory: Path | None = None) -> Mapping[str, str]:
    """The environment, with a stand-in for every variable that fastgate.yaml names and this shell lacks: commands that
    call no provider need no provider key. With `directory` the same for the directory.yaml there, for reading only."""
    environ = ChainMap(dict(os.environ), dict.fromkeys(names_in(config), UNSET))
    if directory is not None:
        secrets = {name: f"unset-{name}".ljust(UNSET_SECRET_CHARS, "-") for name in names_in(directory)}
        environ = ChainMap(*environ.maps[:1], secrets, *environ.maps[1:])
    return environ


def names_in(path: Path) -> list[str]:
    """The variables that a file refers to; none where it cannot be read."""
    from fastgate.refs import REF

    try:
        return REF.findall(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return []


def state_of(config: Path) -> Path:
    """The state directory that a configuration names, without checking the rest of the file."""
    from fastgate.refs import RefError, resolve_refs
    from fastgate.tree import ConfigErrors, parse

    try:
        root, _ = parse(config.read_bytes(), str(config))
        entry = root.entries.get("state")
        written = entry[1].text if entry is not None and entry[1].kind == "scalar" else f"./{STATE_NAME}"
        named = resolve_refs(written, os.environ)
    except OSError as error:
        raise BadInput(f"{config} cannot be read: {error.strerror}.") from error
    except (ConfigErrors, RefError) as error:
        raise BadInput(f"{config}: {error}", fix="`fastgate check` lists every mistake") from error
    return Path(os.path.normpath(config.absolute().parent / Path(named).expanduser()))


def read_run(state: Path) -> RunInfo | None:
    """The instance that runs in a state directory; None where there is none, or it is gone."""
    from fastgate import runinfo

    path = state / RUN_NAME
    if path.exists() and not os.access(path, os.R_OK):
        raise BadInput(f"{path} belongs to another user.", fix="run this as the user who started the gateway")
    info = runinfo.read(path)
    return info if info is not None and runinfo.is_running(info) else None
