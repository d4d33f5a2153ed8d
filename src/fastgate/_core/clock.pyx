# cython: language_level=3
"""The clocks. fastgate/clock.py says which is for what; compiled rooms read them here."""

from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, clockid_t, timespec

__all__ = ["boot_ns", "mono_ns", "wall_ns"]

cdef extern from "<time.h>" nogil:
    enum: CLOCK_BOOTTIME


cdef inline int64_t read(clockid_t clock) noexcept:
    cdef timespec now
    clock_gettime(clock, &now)
    return <int64_t>now.tv_sec * 1_000_000_000 + now.tv_nsec


cpdef int64_t mono_ns() noexcept:
    return read(CLOCK_MONOTONIC)


cpdef int64_t wall_ns() noexcept:
    return read(CLOCK_REALTIME)


cpdef int64_t boot_ns() noexcept:
    return read(CLOCK_BOOTTIME)
