# What calls use of a Worker, in C. `__dict__` takes the rest.

cimport cython

from fastgate._core.clock cimport mono_ns
from fastgate._core.flight cimport FlightTable
from fastgate.board cimport Board
from fastgate.call cimport Call
from fastgate.gateway.allowance cimport Allowances
from fastgate.gateway.connections cimport Connections, Pools
from fastgate.gateway.prefixes cimport Prefixes
from fastgate.gateway.pressure cimport Pressure
from fastgate.gateway.records cimport Records
from fastgate.gateway.turns cimport Turns
from fastgate.snapshot cimport Snapshot


cdef class Worker:
    cdef dict __dict__

    cdef readonly object loop
    cdef readonly str epoch
    cdef readonly Board board
    cdef readonly object digester
    cdef readonly Pools upstreams
    cdef readonly object rates
    cdef readonly dict calls
    cdef readonly object next_number
    cdef readonly Turns turns
    cdef readonly Pressure pressure
    cdef readonly FlightTable flight
    cdef readonly Records records
    cdef readonly Allowances allowances
    cdef readonly object lending
    cdef readonly Prefixes prefixes
    cdef public Snapshot snapshot

    @cython.locals(pool=Connections)
    cpdef object close_call(self, Call call, bytes record)
