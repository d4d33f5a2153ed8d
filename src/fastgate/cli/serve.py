"""`fastgate serve`: the gateway in the foreground. Owns its options and one refusal; the supervisor does the rest."""

from __future__ import annotations

from pathlib import Path

import click

from fastgate.cli.failures import BadInput, Refused
from fastgate.cli.instance import config_path
from fastgate.cli.options import command

NO_CONFIG = "there is no ./fastgate.yaml, and $FASTGATE_CONFIG is not set."


@command("serve")
@click.option("--workers", type=click.IntRange(min=1), help="Data-plane processes, instead of the configuration's.")
def serve(workers: int | None) -> None:
    """Run the gateway in the foreground, with its data plane and control plane.

    SIGHUP reloads the configuration. SIGTERM or Ctrl-C drains: new calls are refused, open ones finish; a second
    Ctrl-C does not wait for them.
    """
    config = config_path()
    if config is None:
        raise BadInput(NO_CONFIG, fix="`fastgate init` writes one, `fastgate demo` needs none")
    refuse_public_keys(config)
    from fastgate.supervisor import Supervisor

    click.get_current_context().exit(Supervisor(config, workers).run())


def refuse_public_keys(config: Path) -> None:
    """The demo's keys are in this source: a copy of its directory.yaml must not be served to others. A configuration
    with mistakes passes here; the supervisor names them all."""
    from fastgate.cli.demo_world import DEVELOPERS
    from fastgate.cli.instance import lenient_environ
    from fastgate.config import load_config
    from fastgate.config_checks import is_loopback, split_address
    from fastgate.tree import ConfigErrors

    try:
        loaded, _ = load_config(config, lenient_environ(config))
        declared = Path(loaded.directory).read_text(encoding="utf-8") if loaded.directory else ""
    except (ConfigErrors, OSError, UnicodeDecodeError):
        return
    if is_loopback(split_address(loaded.listen)[0]):
        return
    for dev in DEVELOPERS:
        if dev.secret in declared:
            raise Refused(
                f"{loaded.directory} declares the demo's public key {dev.key}, and {loaded.listen} is not loopback.",
                fix="remove the demo's keys; `fastgate keys create` makes real ones",
            )
