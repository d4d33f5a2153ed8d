"""The one place that reads a clock. Wall time is for records, monotonic time for deadlines and latencies."""

import time

wall_ns = time.time_ns
"""Nanoseconds since the Unix epoch; may step."""

mono_ns = time.monotonic_ns
"""Nanoseconds of a clock that never steps back; comparable between processes of one machine until reboot."""


def boot_ns() -> int:
    """Nanoseconds since the machine started, those it slept included: for leases and the ends of periods, which run on
    while nobody looks, and which a step of the wall clock must not move."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
