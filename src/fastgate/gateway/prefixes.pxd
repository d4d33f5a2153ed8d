from libc.stdint cimport int64_t

cimport cython

from fastgate._core.usage cimport Usage


cdef class Prefixes:
    cdef dict _known
    cdef int64_t _bytes

    @cython.locals(usage=Usage, body=bytes)
    cpdef object keep(self, call)
