# What it is made of is known at run time only: this file has it compiled.
cdef class Pressure:
    cdef public int limit
    cdef public int late
    cdef object _sent
    cdef object _clock
    cdef long long _due_ns
    cdef int _taken
    cdef long long _allowed
    cdef bint _refused
    cdef int _waiting
    cdef double _rate
    cdef double _held_s

    cpdef int level(self, int in_flight) except -1
    cpdef int again(self, int in_flight) except -1
    cpdef bint closing(self, int in_flight) except -1
