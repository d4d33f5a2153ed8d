"""The event loop's clock and its futures, for what the loop calls. No unit of its own: everything here is inlined."""

from libc.stdint cimport int64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec


cdef inline int64_t monotonic_ns() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef inline int wake(object future) except -1:
    if future is not None and not future.done():
        future.set_result(None)
    return 0
