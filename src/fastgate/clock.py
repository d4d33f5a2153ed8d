"""The one place that reads a clock. Wall time is for records, monotonic time for deadlines and latencies."""

import time
from functools import partial

wall_ns = time.time_ns
"""Nanoseconds since the Unix epoch; may step."""

mono_ns = time.monotonic_ns
"""Nanoseconds of a clock that never steps back; comparable between processes of one machine until reboot."""

boot_ns = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
"""Nanoseconds since the machine started, those it slept included: for leases and the ends of periods, which run on
while nobody looks, and which a step of the wall clock must not move."""
