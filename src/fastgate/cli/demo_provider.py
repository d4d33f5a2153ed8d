"""One scripted provider of the demo, as the supervisor starts it. It is told its port, so nobody waits for the line
that the simulator prints about it, and among what the demo prints for people that line would only be in the way."""

import os
import sys

from fastgate.sim import main

if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(main(sys.argv[1:]))
