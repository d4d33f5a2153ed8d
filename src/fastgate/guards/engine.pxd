cimport cython

from fastgate._core.prefilter cimport Prefilter


cdef class Database:
    cdef object _local
    cdef public object db
    cdef public Prefilter prefilter

    cpdef bint may_match(self, bytes text) except *

    cpdef object scan(self, bytes text, on_match)


cdef class Engine:
    cdef readonly tuple rules
    cdef readonly str digest
    cdef readonly list _exact
    cdef readonly dict _databases
    cdef dict _looks
    cdef dict _longest
    cdef readonly Prefilter answer_prefilter

    @cython.locals(database=Database, found=dict, looks=list)
    cpdef tuple examine(
        self, str kind, str role, bytes text, str tool=*, tuple tools=*, Py_ssize_t seam=*, effort=*
    )

    @cython.locals(found=dict, inner=dict)
    cdef dict _matches(self, str kind, str role, bytes text, effort)
