"""The simulator's own routes under /__sim/: program the next answers, read the log. Not logged themselves."""

from __future__ import annotations

import msgspec

from fastgate.sim.behaviour import Behaviour
from fastgate.sim.connection import Exchange
from fastgate.sim.faults import Plan, plan_whole
from fastgate.sim.log import Log
from fastgate.sim.script import Script


def administer(script: Script, log: Log, exchange: Exchange, path: str) -> Plan:
    """Carry out one admin request and plan its answer."""
    kind = "application/json"
    try:
        match exchange.method, path:
            case "POST", "/__sim/script":
                script.add_json(exchange.body)
                body = msgspec.json.encode({"queued": len(script.steps)})
            case "GET", "/__sim/script":
                body = msgspec.json.encode(script.steps)
            case "DELETE", "/__sim/script":
                script.clear()
                body = b"{}"
            case "GET", "/__sim/log":
                body, kind = log.dump(), "application/x-ndjson"
            case "DELETE", "/__sim/log":
                log.clear()
                body = b"{}"
            case "POST", "/__sim/reset":
                script.clear()
                log.clear()
                body = b"{}"
            case "GET", "/__sim/health":
                body = b'{"ok":true}'
            case _:
                return plan_whole(b"", Behaviour(status=404, message=f"no admin route {path}"), "sim")
    except (ValueError, msgspec.MsgspecError) as error:
        return plan_whole(b"", Behaviour(status=400, message=str(error)), "sim")
    return plan_whole(body, Behaviour(), "sim", content_type=kind)
