"""The clocks. Wall time is for records, monotonic time for deadlines and latencies.

`wall_ns`: nanoseconds since the Unix epoch; may step. `mono_ns`: nanoseconds of a clock that never steps back;
comparable between processes of one machine until reboot. `boot_ns`: nanoseconds since the machine started, those it
slept included: for leases and the ends of periods, which run on while nobody looks, and which a step of the wall clock
must not move.
"""

from fastgate._core.clock import boot_ns, mono_ns, wall_ns

__all__ = ["boot_ns", "mono_ns", "wall_ns"]
