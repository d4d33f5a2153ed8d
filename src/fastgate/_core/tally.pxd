cimport cython
from libc.stdint cimport int64_t


cdef struct Figures:
    int64_t number, at_ns, cost_nano, cost_asked_nano, saved_nano, saved_downgrade_nano, saved_arbitration_nano
    int64_t input_tokens, output_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens


@cython.final
cdef class Tally:
    cdef readonly int segment
    cdef readonly int64_t offset
    cdef readonly int64_t sequence
    cdef Figures figures
    cdef readonly bytes worker
    cdef readonly bytes kind
    cdef readonly bytes thread
    cdef readonly bytes cells
    cdef readonly bytes shown
    cdef readonly bytes body

    cdef Py_ssize_t bytes_held(self) noexcept
