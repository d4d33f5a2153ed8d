cimport cython
from libc.stdint cimport uint64_t

from fastgate._core.memo cimport Memo
from fastgate._core.request cimport RequestView
from fastgate.caching.key cimport Key, scope_of


cdef class Asker:
    cdef readonly uint64_t number
    cdef readonly object policy
    cdef readonly tuple scope
    cdef readonly str namespace
    cdef readonly bytes whose


cdef class Question:
    cdef readonly Key key


cdef class Known:
    cdef Memo _memo
    cdef dict _askers
    cdef object _policy

    @cython.locals(name=tuple, scope=tuple, of=bytes)
    cpdef Asker asker(self, policy, who, str route, str model, bytes lines, str session, str namespace)

    @cython.locals(memo=Memo, mark=bytes, known=tuple)
    cpdef Question question(self, Asker asker, bytes body, RequestView request)


cpdef Question read(Asker asker, bytes body, RequestView request)
