"""What is wrong with an installation, as data: the usual set-up mistakes, each with its fix, and what is in use.

Nothing is changed, and nothing is sent beyond this machine unless asked (`probe`). Runs also where the compiled modules
are missing, so everything that needs them is imported by the check that uses it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from fastgate import proc, runinfo
from fastgate.config import load_config, worker_count
from fastgate.config_checks import is_loopback, split_address
from fastgate.config_endpoints import Endpoint
from fastgate.control import surroundings
from fastgate.control.findings import Finding, Subject
from fastgate.directory import load_directory
from fastgate.refs import Secret
from fastgate.state import StateDir
from fastgate.tree import ConfigErrors

OLDEST, NEWEST = (3, 11), (3, 14)
"""CPython releases that are tested."""

FILES_PER_CALL = 2
"""Descriptors of one call: its client and its endpoint."""

FEW_FILES = 4096
"""Below this a worker serves fewer than 2,000 calls at once."""

VIRTUAL = "sk-fg-"


def diagnose(config_path: Path | None, environ: Mapping[str, str], *, probe: bool = False) -> list[Finding]:
    """Every finding, in the order in which they should be mended. With `probe` each endpoint is connected to."""
    found = [*_runtime(), *_build()]
    subject = None
    if config_path is None:
        found.append(Finding("config", "warning", "no configuration was found", "`fastgate init` writes one"))
    else:
        found += _config(config_path, environ)
        subject = _subject(config_path, environ)
    found += surroundings.proxies(environ, subject.config.listen if subject else "127.0.0.1:8080")
    found += _open_files()
    if subject is not None:
        for check in (_state, _instance, _ports, _workers, _limits, _keys, _callers, _client, surroundings.clock):
            found += check(subject)
        found += surroundings.endpoints(subject, probe)
    return found


def _runtime() -> Iterator[Finding]:
    version = sys.version_info[:2]
    told = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    if platform.python_implementation() != "CPython" or not OLDEST <= version <= NEWEST:
        yield Finding("python", "error", f"{told} is not supported", "use CPython 3.11 to 3.14")
    elif platform.system() != "Linux":
        yield Finding("python", "error", f"{told}: fastgate runs on Linux only", "run it in a Linux container")
    else:
        yield Finding("python", "ok", told)
    if importlib.util.find_spec("uvloop") is None:
        yield Finding(
            "loop", "error", "uvloop is not installed", "reinstall fastgate: `pip install --force-reinstall .`"
        )


def compiled_modules() -> list[str]:
    """The modules of fastgate._core, by the stubs that are installed beside them."""
    from fastgate import _core

    return sorted(path.stem for path in Path(_core.__path__[0]).glob("*.pyi"))


def _build() -> Iterator[Finding]:
    missing = []
    names = compiled_modules()
    for name in names:
        try:
            importlib.import_module(f"fastgate._core.{name}")
        except ImportError as error:
            missing.append(f"{name} ({error})")
    if missing:
        yield Finding(
            "build",
            "error",
            f"compiled modules cannot be loaded: {'; '.join(missing)}",
            "sudo apt-get install -y build-essential python3-dev, then `pip install .` (in a checkout: `make build`)",
        )
    else:
        yield Finding("build", "ok", f"all {len(names)} compiled modules load")


def _config(path: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        config, warnings = load_config(path, environ)
    except ConfigErrors as errors:
        for problem in errors.problems:
            kind = "provider-key" if problem.path.endswith("api_key") else "config"
            yield Finding(kind, "error", str(problem), _config_fix(kind, problem.message))
        return
    yield Finding("config", "ok", f"{path} is in order")
    for problem in warnings:
        yield Finding("config", "warning", str(problem), "`fastgate check` lists every warning")
    if config.directory is None:
        return
    try:
        load_directory(Path(config.directory), environ)
    except ConfigErrors as errors:
        for problem in errors.problems:
            yield Finding("directory", "error", str(problem), "mend the file; `fastgate check` lists every mistake")
    else:
        yield Finding("directory", "ok", f"{config.directory} is in order")


def _config_fix(kind: str, message: str) -> str:
    if kind == "provider-key" and "not set" in message:
        return "export the variable where `fastgate serve` is started, with a key of the provider's own"
    if kind == "provider-key":
        return "put the provider's own key (sk-ant-…) there; fastgate keys are for clients"
    return "mend the file; `fastgate check` lists every mistake"


def _subject(path: Path, environ: Mapping[str, str]) -> Subject | None:
    try:
        config, _ = load_config(path, environ)
    except ConfigErrors:
        return None
    state = StateDir(config.state)
    run = runinfo.read(state.run_json)
    return Subject(config, state, run, run is not None and runinfo.is_running(run), environ)


def _open_files() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    calls = hard // FILES_PER_CALL
    told = f"open files: {soft}, raised to {hard} at start: about {calls} calls at once in each worker"
    if hard < FEW_FILES:
        fix = "raise it: LimitNOFILE=65536 in the unit, --ulimit nofile=65536 for a container, `ulimit -Hn` as root"
        yield Finding("open-files", "warning", told, fix)
    else:
        yield Finding("open-files", "ok", told)
    backlog = surroundings.accept_backlog()
    if 0 < backlog < FEW_FILES:
        yield Finding(
            "backlog",
            "warning",
            f"the kernel queues {backlog} new connections only (net.core.somaxconn)",
            f"sudo sysctl -w net.core.somaxconn={FEW_FILES}",
        )


def _state(subject: Subject) -> Iterator[Finding]:
    path = subject.state.path
    there = path
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        yield Finding("state", "error", f"{there} is a file; the state needs a directory", "move it, or set `state`")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        owner = f"user id {os.geteuid()}"
        yield Finding("state", "error", f"{there} is not writable for {owner}", "set its owner, or another `state`")
        return
    yield from surroundings.disk(there)
    if there == path and path.stat().st_mode & 0o077:
        yield Finding("state", "warning", f"{path} can be read by other users", f"chmod 700 {path}")
    else:
        yield Finding("state", "ok", f"{path} is writable" if there == path else f"{path} will be made")


def _instance(subject: Subject) -> Iterator[Finding]:
    run = subject.run
    if run is None:
        return
    if not subject.running:
        message = f"run.json is left from a gateway that was killed (process {run.pid}, since {run.started_at})"
        yield Finding("run-json", "warning", message, "nothing to do: the next `fastgate serve` replaces it")
        return
    if not surroundings.accepts(run.control):
        message = f"process {run.pid} runs, but its control plane does not answer on {run.control}"
        yield Finding("instance", "error", message, "read the gateway's log; it restarts its control plane by itself")
    elif not surroundings.accepts(run.listen):
        message = f"process {run.pid} runs, but its data plane does not answer on {run.listen}"
        yield Finding("instance", "error", message, "read the gateway's log; it restarts its data plane by itself")
    else:
        yield Finding("instance", "ok", f"process {run.pid} serves on {run.listen} since {run.started_at}")


def _ports(subject: Subject) -> Iterator[Finding]:
    """A port that another program has. Those of the running instance are its own affair."""
    if subject.running:
        return
    for name, address in (("listen", subject.config.listen), ("control.listen", subject.config.control.listen)):
        _, port = split_address(address)
        why = surroundings.cannot_bind(address)
        if why:
            owner = proc.listener_of(port)
            told = f"`{name}: {address}` cannot be used: {why}{f', {owner} has it' if owner else ''}"
            yield Finding("port", "error", told, f"stop that program, or give `{name}` another port")
        else:
            yield Finding("port", "ok", f"`{name}: {address}` is free")


def _workers(subject: Subject) -> Iterator[Finding]:
    wanted, cpus = worker_count(subject.config), proc.usable_cpus()
    if subject.running and subject.run is not None:
        from fastgate.workers import live_workers

        wanted = subject.run.workers or wanted
        live = live_workers(subject.state)
        loops = sorted({proc.event_loop_of(worker.pid) or "unknown" for worker in live})
        told = f"{len(live)} of {wanted} workers run, event loop {', '.join(loops) or 'none'}"
        fine = len(live) == wanted and loops == ["uvloop"]
        fix = "" if fine else "read the gateway's log: it says why a worker ends"
        yield Finding("workers", "ok" if fine else "warning", told, fix)
    else:
        yield Finding("workers", "ok", f"{wanted} workers would run on {cpus} processors, event loop uvloop")
    if wanted > cpus:
        told = f"{wanted} workers share {cpus} processors"
        yield Finding("workers", "warning", told, "`workers: auto` starts one for each")


def _limits(subject: Subject) -> Iterator[Finding]:
    limits = msgspec.structs.asdict(subject.config.limits)
    yield Finding("limits", "ok", ", ".join(f"{name} {value}" for name, value in limits.items()))


def _keys(subject: Subject) -> Iterator[Finding]:
    """A fastgate key where the provider's belongs, and a gateway that would call itself."""
    own = {split_address(subject.config.listen)[1]}
    for endpoint in subject.config.endpoints:
        host, port = surroundings.target(endpoint.base_url)
        if is_loopback(host) and port in own:
            told = f"endpoint {endpoint.name} is this gateway itself ({endpoint.base_url})"
            yield Finding("base-url", "error", told, "put the provider's address there, as https://api.anthropic.com")
        elif endpoint.api_key is None and not endpoint.keys:
            yield _credential(endpoint, subject)
        elif endpoint.kind == "anthropic" and any(key.reveal().startswith(VIRTUAL) for key in secrets_of(endpoint)):
            told = f"endpoint {endpoint.name} has a fastgate key as its provider key"
            fix = "put the provider's own key there; `kind: compatible` if it is another fastgate"
            yield Finding("provider-key", "error", told, fix)
        else:
            count = f"{len(endpoint.keys)} keys" if endpoint.keys else "a key"
            yield Finding("provider-key", "ok", f"endpoint {endpoint.name} has {count}")


def secrets_of(endpoint: Endpoint) -> list[Secret]:
    one = [] if endpoint.api_key is None else [endpoint.api_key]
    return one + [key.api_key for key in endpoint.keys]


def _credential(endpoint: Endpoint, subject: Subject) -> Finding:
    """Where a credential that is not in the configuration comes from, and whether that is there."""
    name, given = endpoint.name, endpoint.credentials
    if given.command:
        if shutil.which(given.command[0], path=subject.environ.get("PATH")) is None:
            told = f"endpoint {name} gets its credential from {given.command[0]}, which is not a program here"
            return Finding("provider-key", "error", told, "install it, or give its whole path in `credentials.command`")
        return Finding("provider-key", "ok", f"endpoint {name} gets its credential from {given.command[0]}")
    if given.file:
        if not os.access(given.file, os.R_OK):
            told = f"endpoint {name} gets its credential from {given.file}, which cannot be read"
            return Finding("provider-key", "error", told, "make the file readable for the gateway's user")
        return Finding("provider-key", "ok", f"endpoint {name} gets its credential from {given.file}")
    if endpoint.kind in ("bedrock", "vertex"):
        return Finding("provider-key", "ok", f"endpoint {name} takes its credential from the environment")
    return Finding("provider-key", "ok", f"endpoint {name} takes calls without a key")


def _callers(subject: Subject) -> Iterator[Finding]:
    """Whether anybody can call at all."""
    try:
        from fastgate import snapshot

        data = snapshot.decode(subject.state.snapshot.read_bytes())
    except (ImportError, OSError, msgspec.MsgspecError):
        return  # nothing published yet, or _build has told
    if not data.keys:
        yield Finding("keys", "warning", "no key is accepted: nobody can call", "`fastgate keys create --user …`")
    else:
        yield Finding("keys", "ok", f"{len(data.keys)} secrets of keys are accepted")


def _client(subject: Subject) -> Iterator[Finding]:
    """What this shell would make Claude Code do."""
    base = subject.environ.get("ANTHROPIC_BASE_URL", "")
    host, port = split_address(subject.config.listen)
    wanted = f"http://{runinfo_host(host)}:{port}"
    if base:
        there = surroundings.target(base)
        if there[1] != port or not base.startswith("http://"):
            told = f"ANTHROPIC_BASE_URL in this shell is {base}; the gateway listens on {wanted}"
            yield Finding("base-url", "warning", told, f"export ANTHROPIC_BASE_URL={wanted}")
        else:
            yield Finding("base-url", "ok", f"ANTHROPIC_BASE_URL in this shell is this gateway ({base})")
    key = subject.environ.get("ANTHROPIC_API_KEY", "")
    if base and key and not key.startswith(VIRTUAL) and not subject.environ.get("ANTHROPIC_AUTH_TOKEN"):
        told = "ANTHROPIC_API_KEY in this shell is no fastgate key, but would be sent to the gateway"
        fix = "export ANTHROPIC_AUTH_TOKEN with a key from `fastgate keys create`, and unset ANTHROPIC_API_KEY"
        yield Finding("client-key", "warning", told, fix)


def runinfo_host(host: str) -> str:
    """The host as a client of this machine writes it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
