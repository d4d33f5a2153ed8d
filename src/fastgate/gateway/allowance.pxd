cimport cython
from libc.stdint cimport int64_t

from fastgate._core.escrow cimport Cells, Escrow


cdef int64_t TEXT_NS


cdef class Draw:
    cdef public list matches
    cdef public tuple accounts
    cdef public Cells cells
    cdef public int64_t until_ns
    cdef public object named
    cdef public list keys
    cdef public object stage
    cdef public object staged
    cdef public tuple stages
    cdef public str text
    cdef public int64_t text_ns
    cdef public int64_t version


cdef class Allowances:
    cdef public object now
    cdef public Escrow escrow
    cdef public object selection
    cdef public dict accounts
    cdef public dict by_slot
    cdef public dict by_number
    cdef public list returns
    cdef public object stages
    cdef public int64_t version
    cdef dict _draws
    cdef bint _by_session
    cdef int64_t _scan_ns
    cdef int64_t _ahead_ns

    @cython.locals(draw=Draw, now_ns=int64_t)
    cpdef Draw draw(self, who, str session, str model)
