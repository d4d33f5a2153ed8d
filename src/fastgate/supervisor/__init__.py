"""The supervisor: what `fastgate serve` runs. It starts the two planes, watches them, reloads, drains and stops them.

Knows processes and signals; knows nothing of calls, keys or money.
"""

from fastgate.supervisor.child import Extra
from fastgate.supervisor.run import Supervisor

__all__ = ["Extra", "Supervisor"]
