cimport cython
from libc.stdint cimport int64_t


cdef Py_ssize_t NAME, FAILURES, OPEN_UNTIL, PROBE_UNTIL, OPENED, LATENCY_US, LATENCY_AT, SHARE


cdef class Breaker:
    cdef int64_t[::1] _cells

    @cython.locals(until_ns=int64_t)
    cpdef bint allows(self, int64_t now_ns) except -1

    @cython.locals(until_ns=int64_t)
    cpdef bint ready(self, int64_t now_ns) except -1

    @cython.locals(latency_us=int64_t)
    cpdef int64_t latency_us(self, int64_t now_ns) except? -1
