cimport cython

from fastgate._core.block cimport Block


cdef class Watch:
    cdef public object guards
    cdef object who
    cdef object actions
    cdef tuple tools
    cdef object note
    cdef object restorer
    cdef readonly Py_ssize_t hold
    cdef bytes rest
    cdef bint stopped
    cdef bytes context
    cdef bytes window
    cdef Py_ssize_t gone
    cdef set noted
    cdef bytes template
    cdef list parked
    cdef bytes given
    cdef str tool

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

    @cython.locals(blocks=list, block=Block, edits=list, kind=str)
    cdef bytes judge_whole(self, bytes body)

    @cython.locals(found=tuple, places=list, stop=tuple)
    cdef object look(self, str kind, bytes text, Py_ssize_t base, Py_ssize_t past, str tool=*)

    cdef str unscanned(self, str kind, str tool)


cpdef list blocks_of(bytes body)
