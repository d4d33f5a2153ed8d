"""Goes through the stops in order, prints what each shows, and says at the end whether all was as told."""

from __future__ import annotations

from typing import Any

import click

from fastgate.cli import output
from fastgate.cli.options import as_json
from fastgate.cli.tour import NotAsToldError, Stop
from fastgate.cli.tour.stage import Stage
from fastgate.cli.tour.stops_alerts import alert_arrives
from fastgate.cli.tour.stops_budgets import capped, paused, raised, status_line
from fastgate.cli.tour.stops_cache import cached_call, reworded_call
from fastgate.cli.tour.stops_calls import client_leaves, fail_over, priced_call, streamed_call, upstream_error
from fastgate.cli.tour.stops_guards import hidden_secret, seen_text
from fastgate.cli.tour.stops_keys import model_not_allowed, revoked_key, typing_error, wrong_key
from fastgate.cli.tour.stops_operations import drain, spend_adds_up
from fastgate.cli.tour.stops_reports import proposed_budgets, reports_agree
from fastgate.cli.tour.stops_routing import session_keeps_its_cache

STOPS = (
    Stop("An identified, priced call", priced_call),
    Stop("A streamed call", streamed_call),
    Stop("A question asked twice is bought once", cached_call),
    Stop("A question in other words, and one that only looks like it", reworded_call),
    Stop("A secret that does not leave", hidden_secret),
    Stop("Did a model see this text?", seen_text),
    Stop("A key that nobody issued", wrong_key),
    Stop("A key with a typing error", typing_error),
    Stop("A model that the key may not use", model_not_allowed),
    Stop("A client that leaves is still charged", client_leaves),
    Stop("An error of the provider", upstream_error),
    Stop("An endpoint that is down", fail_over),
    Stop("A session keeps its prompt cache", session_keeps_its_cache),
    Stop("A revoked key", revoked_key),
    Stop("A cap that holds", capped),
    Stop("A temporary increase", raised),
    Stop("A pause by hand", paused),
    Stop("The status line", status_line),
    Stop("Spend adds up", spend_adds_up),
    Stop("Reports agree", reports_agree),
    Stop("Budgets that are only proposed", proposed_budgets),
    Stop("An alert", alert_arrives),
    Stop("Drain", drain),
)


def tour() -> bool:
    """Runs the tour. True when every stop was as told."""
    output.say("Starting a demo of its own for the tour, on free ports, in a temporary directory.")
    output.say("Each stop names the command that repeats it while `fastgate demo` runs.\n")
    results: list[dict[str, Any]] = []
    try:
        with Stage() as stage:
            for number, stop in enumerate(STOPS, 1):
                results.append(visit(stage, stop, f"{number}/{len(STOPS)}"))
                if not results[-1]["ok"] and stage.process.poll() is not None:
                    break  # the gateway is gone: what follows would only repeat that
    except NotAsToldError as error:
        results.append({"stop": "start", "ok": False, "error": str(error)})
        output.say(click.style(str(error), fg="red"))
    good = len(results) == len(STOPS) and all(result["ok"] for result in results)
    if as_json():
        output.print_json({"ok": good, "items": results, "next": None})
    else:
        done = sum(result["ok"] for result in results)
        click.echo(f"{done} of {len(STOPS)} stops were as told.")
    return good


def visit(stage: Stage, stop: Stop, number: str) -> dict[str, Any]:
    """Shows one stop; what it showed, and whether it was as told."""
    output.say(click.style(f"{number}  {stop.title}", bold=True))
    output.say(f"     {stop.about}")
    shown: list[str] = []
    error = ""
    try:
        for line in stop.show(stage):
            output.say(f"     {'$ ' if not shown else '  '}{line}")
            shown.append(line)
    except NotAsToldError as found:
        error = f"expected {found}"
    except (OSError, ValueError, KeyError, IndexError, TypeError) as found:
        error = f"{type(found).__name__}: {found}"
    output.say(
        click.style("     as told", fg="green") if not error else click.style(f"     NOT AS TOLD: {error}", fg="red")
    )
    output.say()
    result: dict[str, Any] = {"stop": stop.name, "title": stop.title, "ok": not error}
    return result | {"repeat": shown[0] if shown else "", "shown": shown[1:], **({"error": error} if error else {})}
