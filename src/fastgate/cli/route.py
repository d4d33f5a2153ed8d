"""`fastgate route`: why a call went to its endpoint, or where a request would go."""

from __future__ import annotations

import json
from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.control import open_control
from fastgate.cli.failures import BadInput
from fastgate.cli.guards import read_text
from fastgate.cli.options import as_json, group
from fastgate.cli.output import Column

OFFERS = [
    Column("endpoint", lambda row: row["place"] + (" (home)" if row["home"] else "")),
    Column("model", "model"),
    Column("healthy", "healthy"),
    Column("warm", "warm_tokens", "right"),
    Column("new", "new_tokens", "right", rank=1),
    Column("this turn $", "price", "right"),
    Column("later turns $", "later", "right", rank=2),
    Column("in all $", "whole", "right"),
    Column("first byte ms", "latency_ms", "right", rank=3),
    Column("priority", "priority", "right", rank=4),
    Column("weight", "weight", "right", rank=4),
]


@group("route")
def route() -> None:
    """Explain which endpoint a call goes to."""


@route.command("explain")
@click.argument("call_id", metavar="[CALL-ID]", default="")
@click.option("-f", "--file", "file", default="", metavar="FILE|-", help="A request body instead: where it would go.")
@click.option("--key", default="", help="With -f: the id of the virtual key that would send it.")
@click.option("--session", default="", help="With -f: its session.")
@click.option("--agent", default="", help="With -f: its sub-agent, as x-claude-code-agent-id names it.")
@click.option("--class", "request_class", default="", help="With -f: its request class, such as main or auxiliary.")
@click.option(
    "--stage", default="", type=click.Choice(["", "alert", "downgrade", "pause"]), help="With -f: its budgets' stage."
)
def explain(call_id: str, file: str, **headers: str) -> None:
    """Show what could serve a call, in the order in which it is tried: what is warm there, what the turn is expected to
    cost, why the first is first, and why its model is another or was kept. A finished call is explained from its
    record; with -f nothing is sent."""
    if bool(call_id) == bool(file):
        raise click.UsageError("give the id of a finished call, or a request with -f")
    with open_control("fastgate route explain") as control:
        if file:
            told = control.routing.explain_request({"request": request_in(file), **headers})
        else:
            told = control.routing.explain(call_id)
    if as_json():
        output.print_json(told)
        return
    if told["items"]:
        output.console().print(output.table(told["items"], OFFERS))
    click.echo(sentences(told))


def request_in(file: str) -> Any:
    """The request in a file, as JSON."""
    try:
        return json.loads(read_text(file))
    except ValueError:
        raise BadInput(f"{file} is not JSON") from None


def sentences(told: dict[str, Any]) -> str:
    """What the table does not say."""
    lines = [f"{told['why']}."]
    step = told["ladder"]
    if step is not None:
        told_again = {
            True: ", and asked again that is the same",
            False: ", BUT ASKED AGAIN IT IS NOT: please report it",
        }
        lines.append(f"model: {step['why']}{told_again.get(step['replayed'], '')}.")
    expected = told["expected"]
    if expected is not None:
        cache = "not cached" if expected["cache"] == "none" else f"cached for {expected['cache']}"
        prompt, output_tokens = expected["prompt_tokens"], expected["output_tokens"]
        lines.append(f"expected: a prompt of {prompt} tokens, {cache}; {output_tokens} tokens of output.")
    if told["call"] and told["endpoint"]:
        first = told["items"][0]["place"].partition("/")[0] if told["items"] else told["endpoint"]
        other = "" if first == told["endpoint"] else f", and not from {first}: `fastgate calls show` lists the attempts"
        lines.append(f"the answer came from {told['endpoint']}{other}.")
    if told["replayed"] is not None:
        again = "the same" if told["replayed"] else "ANOTHER ORDER, which is a defect of this version: please report it"
        lines.append(f"asked again, the recorded inputs give {again}.")
    return "\n".join(lines)
