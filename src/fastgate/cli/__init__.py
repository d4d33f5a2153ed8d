"""The command line. Owns arguments, tables and exit codes; knows nothing of how a call is served.

Everything heavy is imported by the command that needs it, so that `fastgate --help` answers within 150 ms.
"""

from __future__ import annotations


def main() -> None:
    """Entry point of the `fastgate` command."""
    from fastgate.cli.root import root

    root(prog_name="fastgate")
