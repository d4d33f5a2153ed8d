"""The one place that reads a clock. Wall time is for records, monotonic time for deadlines and latencies."""

import time

wall_ns = time.time_ns
"""Nanoseconds since the Unix epoch; may step."""

mono_ns = time.monotonic_ns
"""Nanoseconds of a clock that never steps back; comparable between processes of one machine until reboot."""
