def mono_ns() -> int:
    """CLOCK_MONOTONIC, in nanoseconds."""

def wall_ns() -> int:
    """CLOCK_REALTIME, in nanoseconds."""

def boot_ns() -> int:
    """CLOCK_BOOTTIME, in nanoseconds."""
