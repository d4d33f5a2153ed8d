"""`fastgate simulate`: the scripted upstream alone, as its own process. Owns the options only; fastgate.sim does it."""

from __future__ import annotations

import click

from fastgate.cli.options import command

EPILOG = """A prompt may ask for faults and answers: `[[sim:error status=529]]`, `[[sim:slow bytes_per_s=50]]`,
`[[sim:sse-error]]`, `[[sim:cut]]`, `[[sim:answer tokens=500]]`, `[[sim:thinking]]`."""


@command("simulate", epilog=EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, help="Port to listen on.  [default: a free one]")
@click.option("--workers", default=1, show_default=True, help="Processes behind the one port.")
@click.option("--scenario", default="auto", show_default=True, help="What the model says by itself.")
@click.option(
    "--dialect", type=click.Choice(["anthropic", "bedrock", "vertex"]), default="anthropic", show_default=True,
    help="Whose API it speaks.",
)  # fmt: skip
@click.option("--key", multiple=True, help="Accept only this credential; may be repeated.  [default: any]")
@click.option("--log", metavar="FILE", help="Append a JSON line at the start and the end of every request.")
@click.option("--bodies", metavar="DIR", help="Keep every request body in this folder.")
@click.option("--tls-cert", metavar="FILE", help="Serve TLS with this certificate chain (PEM).")
@click.option("--tls-key", metavar="FILE", help="The private key to it (PEM).")
@click.option("--gap-ms", default=0.0, show_default=True, help="Pause between the events of a stream.")
@click.option("--tokens", default=0, help="Length of text answers in output tokens.")
def simulate(
    host: str,
    port: int,
    workers: int,
    scenario: str,
    dialect: str,
    key: tuple[str, ...],
    log: str | None,
    bodies: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    gap_ms: float,
    tokens: int,
) -> None:
    """Run the scripted upstream: the Messages API of Anthropic, Bedrock or Vertex AI, answered without a model.

    Its first line on standard output is JSON and says where it listens. It answers text, thinking and tool loops, with
    a usage that can be predicted, and plays faults on demand.
    """
    from fastgate.sim import main

    words = ["--host", host, "--port", str(port), "--workers", str(workers), "--scenario", scenario]
    words += ["--dialect", dialect]
    words += ["--gap-ms", str(gap_ms), "--tokens", str(tokens)]
    for secret in key:
        words += ["--key", secret]
    for name, value in (("--log", log), ("--bodies", bodies), ("--tls-cert", tls_cert), ("--tls-key", tls_key)):
        if value is not None:
            words += [name, value]
    click.get_current_context().exit(main(words))
