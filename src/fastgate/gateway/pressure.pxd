# What it is made of is known at run time only: this file has it compiled.
cimport cython

from fastgate.gateway.turns cimport Turns


cdef class Pressure:
    cdef public int limit
    cdef public int late
    cdef Turns _turns
    cdef object _sent
    cdef object _dice
    cdef int _taken
    cdef int _taken_before
    cdef bint _refused
    cdef bint _pressed
    cdef double _held_s

    @cython.locals(turns=Turns, waiting=int)
    cpdef int level(self, int in_flight) except -1

    cpdef bint closing(self, int in_flight) except -1
