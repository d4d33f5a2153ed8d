cimport cython
from libc.stdint cimport int64_t

from fastgate._core.clock cimport mono_ns
from fastgate._core.pump cimport Pump
from fastgate.providers.wire cimport Wire
from fastgate.routing.health cimport Breaker


cdef class Connections:
    cdef public object endpoint
    cdef public Wire wire
    cdef public Breaker breaker
    cdef public Breaker pace
    cdef public object gate
    cdef readonly str label
    cdef public bint retired
    cdef readonly list _idle
    cdef int64_t _keepalive_ns
    cdef readonly int64_t first_byte_ns
    cdef readonly int64_t idle_ns
    cdef readonly int64_t ping_ns
    cdef readonly int64_t hold_ns

    @cython.locals(pump=Pump, oldest_ns=int64_t)
    cpdef Pump take(self)

    cpdef object give(self, Pump pump)

    @cython.locals(pump=Pump, oldest_ns=int64_t)
    cpdef object sweep(self)


cdef class Pools:
    cdef public dict _pools
    cdef public Connections _found

    @cython.locals(pool=Connections)
    cpdef Connections find(self, endpoint)
