cimport cython

from fastgate._core.memo cimport Memo
from fastgate.caching.key cimport Key


cdef class Question:
    cdef readonly Key key
    cdef readonly str temperature


cdef class Known:
    cdef Memo _memo

    @cython.locals(memo=Memo, mark=bytes)
    cpdef Question question(self, tuple scope, str namespace, whose, bytes body)


cpdef Question read(tuple scope, str namespace, whose, bytes body)
