"""`fastgate demo`: a whole gateway with scripted providers, teams and keys, in one command. Loopback only.

Owns what the demo prints and refuses; its world is in demo_world.py, its tour in tour/.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastgate.cli.demo_world import ALICE, DEVELOPERS, config_yaml, curl_line, exports, write_files
from fastgate.cli.failures import BadInput, Refused
from fastgate.cli.instance import CONFIG_NAME, STATE_NAME, read_run
from fastgate.cli.options import as_json, command

if TYPE_CHECKING:
    from fastgate.runinfo import RunInfo
    from fastgate.supervisor import Extra

PROVIDERS = ("demo-a", "demo-b")
PORT = 8080
WORKERS = 2
"""Enough to show that every worker sees the same keys; more would only slow a laptop's start."""

PROVIDER_KEY = "ANTHROPIC_API_KEY"
VIRTUAL = "sk-fg-"
MAX_PORT = 65_535


@command("demo")
@click.option(
    "--tour", "as_tour", is_flag=True, help="Show each capability once, on an instance of its own, and check it."
)
@click.option("--live", is_flag=True, help=f"Use the real Anthropic, with the key in ${PROVIDER_KEY}.")
@click.option("--port", default=PORT, show_default=True, help="Port of the data plane.")
@click.option("--control-port", default=0, help="Port of the control plane.  [default: the next one]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; loopback only.")
@click.option("--workers", default=WORKERS, show_default=True, help="Data-plane processes.")
@click.option("--dir", "folder", default=STATE_NAME, show_default=True, type=Path, help="Folder of the demo's state.")
def demo(as_tour: bool, live: bool, port: int, control_port: int, host: str, workers: int, folder: Path) -> None:
    """Run a gateway with two scripted providers, two teams and three developers with a key each.

    Nothing leaves this machine unless --live is given. The keys are the same at every start and public, so the demo
    listens on loopback only. Ctrl-C drains and stops it.
    """
    if as_tour:
        from fastgate.cli.tour.run import tour

        click.get_current_context().exit(0 if tour() else 1)
    refuse_beyond_loopback(host)
    if live:
        require_provider_key()
    control_port = control_port or port + 1
    require_ports(host, port, control_port)
    started = read_run(folder)
    if started is not None:
        raise Refused(
            f"a gateway runs in {folder} already (process {started.pid}).", fix="stop it, or add --dir FOLDER"
        )
    click.get_current_context().exit(run(host, port, control_port, workers, folder, live))


def refuse_beyond_loopback(host: str) -> None:
    from fastgate.config_checks import is_loopback

    if not is_loopback(host):
        raise BadInput(
            f"the demo's keys are public, so it does not listen on {host}.",
            fix="`fastgate init` writes a configuration for a gateway of your own",
        )


def require_provider_key() -> None:
    """`--live` needs a key of Anthropic's, not one of ours: that would send the gateway's calls to a gateway."""
    key = os.environ.get(PROVIDER_KEY, "")
    if not key:
        raise BadInput(f"--live needs Anthropic's key in ${PROVIDER_KEY}.", fix=f"export {PROVIDER_KEY}=sk-ant-…")
    if key.startswith(VIRTUAL):
        raise Refused(
            f"${PROVIDER_KEY} holds a fastgate key; --live needs one of Anthropic's own.",
            fix="give Claude Code its fastgate key in ANTHROPIC_AUTH_TOKEN instead",
        )


def require_ports(host: str, *ports: int) -> None:
    """Whether all of them are free, with a pair that is as the way out."""
    for port in ports:
        if not 0 < port <= MAX_PORT:
            raise BadInput(f"{port} is not a port.", fix=f"--port takes 1 to {MAX_PORT - 1}")
        if taken(host, port):
            from fastgate.proc import listener_of

            owner = listener_of(port) or "another process"
            raise Refused(f"port {port} is taken by {owner}.", fix=f"fastgate demo --port {free_pair(host, port)}")


def taken(host: str, port: int) -> bool:
    """Whether the address cannot be bound. Does not share the port, as Granian's own socket would."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def free_pair(host: str, beside: int) -> int:
    """A port that is free together with the next one."""
    for port in range(beside + 10, MAX_PORT, 10):
        if not taken(host, port) and not taken(host, port + 1):
            return port
    return PORT


def run(host: str, port: int, control_port: int, workers: int, folder: Path, live: bool) -> int:
    """Writes the demo's files and runs its gateway until it is stopped; the exit code."""
    from fastgate.supervisor import Supervisor

    state = folder / "demo"
    at = f"[{host}]" if ":" in host else host
    providers = {} if live else {name: f"http://127.0.0.1:{provider_port(port, n)}" for n, name in enumerate(PROVIDERS)}
    config = config_yaml(f"{at}:{port}", f"{at}:{control_port}", workers, providers)
    try:
        path = write_files(state, config)
    except OSError as error:
        raise BadInput(f"{state} cannot be written: {error.strerror}.", fix="--dir names another folder") from error
    pointer = folder / "run.json"

    def ready(info: RunInfo) -> None:
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(Path("demo") / "run.json")
        announce(info, state, providers)

    if not as_json():
        told = "the real Anthropic" if live else f"{len(providers)} scripted providers"
        click.echo(f"starting a gateway with {told} and {workers} workers …", err=True)
    try:
        return Supervisor(path, extra=extras(providers), on_ready=ready).run()
    finally:
        if pointer.is_symlink():
            pointer.unlink()


def provider_port(port: int, number: int) -> int:
    """Ten above the demo's own ports, so that commands can be repeated; any free one where that is taken."""
    wished = port + 10 + number
    if wished <= MAX_PORT and not taken("127.0.0.1", wished):
        return wished
    with socket.create_server(("127.0.0.1", 0)) as plug:
        free: int = plug.getsockname()[1]
        return free


def extras(providers: dict[str, str]) -> list[Extra]:
    """The scripted providers as processes that live with the gateway."""
    from fastgate.supervisor import Extra

    module = [sys.executable, "-P", "-m", "fastgate.cli.demo_provider"]
    ports = {name: int(url.rpartition(":")[2]) for name, url in providers.items()}
    return [Extra(name, [*module, "--port", str(port)], port) for name, port in ports.items()]


def announce(info: RunInfo, state: Path, providers: dict[str, str]) -> None:
    """What the demo prints once it answers."""
    if as_json():
        click.echo(json.dumps(facts(info, state, providers), ensure_ascii=False))
    else:
        click.echo(text(info, state, providers))
    sys.stdout.flush()


def facts(info: RunInfo, state: Path, providers: dict[str, str]) -> dict[str, Any]:
    """The same for programs, on one line."""
    keys = [
        {
            "id": dev.key,
            "user": dev.user,
            "team": dev.team,
            "cost_center": dev.cost_center,
            "models": list(dev.models),
            "secret": dev.secret,
            "exports": exports(info.listen, dev.secret),
        }
        for dev in DEVELOPERS
    ]
    return {
        "listen": info.listen,
        "control": info.control,
        "providers": providers,
        "state": str(state),
        "curl": curl_line(info.listen, ALICE.secret),
        "keys": keys,
    }


def text(info: RunInfo, state: Path, providers: dict[str, str]) -> str:
    """The addresses, one curl line, the exports of each key, and what to type next."""
    told = ", ".join(f"{name} {url}" for name, url in providers.items()) or "https://api.anthropic.com (real money)"
    lines = [
        "",
        click.style("fastgate demo is running.", bold=True) + " Ctrl-C drains and stops it.",
        "",
        f"  data plane     http://{info.listen}     for Claude Code; /healthz and /readyz answer without a key",
        f"  control plane  http://{info.control}     for the fastgate command",
        f"  providers      {told}",
        f"  state          {state}",
        "",
        "One call:",
        "",
        f"  {curl_line(info.listen, ALICE.secret, '-i')}",
    ]
    for dev in DEVELOPERS:
        limited = f", may use {' '.join(dev.models)}" if dev.models else ""
        lines += ["", f"Claude Code as {dev.user} (team {dev.team}, cost centre {dev.cost_center}{limited}):", ""]
        lines += [f"  {line}" for line in exports(info.listen, dev.secret)]
    lines += ["", "Then, in another terminal in this folder:", "", *(f"  {line}" for line in next_lines()), ""]
    return "\n".join(lines)


def next_lines() -> list[str]:
    """What to type next; first how the command gets onto the path, where it is not."""
    lines = [
        "claude -p 'say hi'            # with one key's exports set",
        "fastgate calls list           # each call with its user, model and price",
        "fastgate spend --by user      # and their sums",
        "fastgate top                  # the same, live",
        "fastgate demo --tour          # every capability, shown and checked",
    ]
    activate = Path(sys.prefix) / "bin" / "activate"
    if shutil.which("fastgate") is None and activate.exists():
        here = Path.cwd()
        lines.insert(0, f". {activate.relative_to(here) if activate.is_relative_to(here) else activate}")
    if Path(CONFIG_NAME).exists():
        lines.insert(
            0, f"# ./{CONFIG_NAME} comes before the demo: add `-c {STATE_NAME}/demo/{CONFIG_NAME}` to commands"
        )
    return lines
