cimport cython

from fastgate._core.request cimport RequestView
from fastgate._core.sending cimport request_head
from fastgate.call cimport Call


cdef class Wire:
    cdef dict __dict__

    cdef readonly object endpoint
    cdef readonly str host
    cdef readonly str base
    cdef readonly object fitter
    cdef public object credential
    cdef dict _models
    cdef dict _begin
    cdef bint _trivial
    cdef bint _pinned
    cdef bytes _version
    cdef bytes _fixed

    cpdef str model_id(self, str model)

    @cython.locals(lines=bytes, body=bytes, version=bytes)
    @cython.locals(request=RequestView, has_version=bint)
    cpdef tuple request(self, Call call)

    cpdef object recast(self, Call call, int status, bytes body)
