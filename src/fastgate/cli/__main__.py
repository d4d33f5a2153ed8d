"""`python -m fastgate.cli`: the same command where the script is not on the path."""

from fastgate.cli import main

main()
