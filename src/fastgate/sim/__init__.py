"""Scripted upstreams, traffic and faults: what the gateway is tested and measured against, and what the demo serves.

`fastgate simulate` and `python -m fastgate.sim` run the scripted Anthropic Messages provider of `server.Simulator`.
Nothing here is imported by the gateway.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scripted upstream until it is told to stop; the exit status of the process."""
    from fastgate.sim.process import run

    return run(arguments)
