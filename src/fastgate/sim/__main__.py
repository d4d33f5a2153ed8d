"""`python -m fastgate.sim`: the scripted upstream as its own process."""

import sys

from fastgate.sim import main

sys.exit(main())
