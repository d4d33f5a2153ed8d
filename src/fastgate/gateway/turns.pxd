# What it is made of is known at run time only: this file has it compiled.
cimport cython


cdef class Turns:
    cdef object _soon
    cdef object _clock
    cdef object _spent
    cdef object _queue
    cdef bint _due
    cdef long long _since_ns
    cdef long long _done_ns
    cdef long long _spent_ns
    cdef int _begun
    cdef long long _line_ns
    cdef double _cost_ns

    @cython.locals(now_ns="long long")
    cpdef bint full(self) except -1

    cpdef object done(self)

    @cython.locals(now_ns="long long")
    cpdef object wait(self, go)

    @cython.locals(now_ns="long long", length_ns="long long")
    cpdef object _turn(self)

    @cython.locals(before_ns="long long", spent_ns="long long", share=double)
    cpdef object _measure(self)

    cpdef int waiting(self) except -1
    cpdef long long waited_ns(self) except? -1
    cpdef double takes_ns(self, int calls) except? -1
