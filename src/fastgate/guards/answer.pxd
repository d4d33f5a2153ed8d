cimport cython

from fastgate._core.block cimport Block
from fastgate._core.blocks cimport read_answer
from fastgate._core.glance cimport holds_nothing
from fastgate._core.prefilter cimport Prefilter


@cython.freelist(64)
cdef class Watch:
    cdef public object guards
    cdef object who
    cdef object actions
    cdef tuple tools
    cdef object note
    cdef object noting
    cdef object restorer
    cdef set noted
    cdef bint begun
    cdef bytes rest
    cdef readonly Py_ssize_t hold
    cdef bint stopped
    cdef bytes context
    cdef bytes window
    cdef Py_ssize_t gone
    cdef bytes template
    cdef list parked
    cdef bytes given
    cdef str tool

    cdef object start(self)

    @cython.locals(found=list, out=bytes)
    cpdef bytes feed(self, bytes chunk)

    @cython.locals(found=list, out=bytes)
    cpdef bytes finish(self)

    cdef bytes hear(self, bytes raw, str what, index, bytes text)

    cdef bytes unless_stopped(self, bytes raw)

    cdef bytes pass_unread(self, bytes raw, str kind)

    cdef bytes begin(self, bytes raw, index, bytes block)

    @cython.locals(parked=list, start=bytes)
    cdef bytes judge_input(self, bytes raw, index)

    @cython.locals(out=bytes)
    cpdef bytes whole(self, bytes body)

    @cython.locals(prefilter=Prefilter, blocks=list, block=Block, edits=list, kind=str)
    cdef bytes judge_whole(self, bytes body)

    @cython.locals(found=tuple, places=list, stop=tuple)
    cdef object look(self, str kind, bytes text, Py_ssize_t base, Py_ssize_t past, str tool=*)

    cdef str unscanned(self, str kind, str tool)

    cdef bint is_new(self, index, place) except -1
