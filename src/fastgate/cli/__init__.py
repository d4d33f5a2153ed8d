"""The command line. Owns arguments, tables and exit codes; knows nothing of how a call is served.

Everything heavy is imported by the command that needs it, so that `fastgate --help` answers within 150 ms.
"""

from __future__ import annotations


def main() -> None:
    """Entry point of the `fastgate` command. The status line goes past the command tree, which takes as long to import
    as everything that it does."""
    import sys

    if sys.argv[1:] == ["statusline"]:
        from fastgate.cli.statusline import main as statusline

        sys.exit(statusline())
    from fastgate.cli.root import root

    root(prog_name="fastgate")
