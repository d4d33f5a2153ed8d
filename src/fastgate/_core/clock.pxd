"""The clocks, for compiled code without a Python integer on the way."""

from libc.stdint cimport int64_t


cpdef int64_t mono_ns() noexcept


cpdef int64_t wall_ns() noexcept


cpdef int64_t boot_ns() noexcept
