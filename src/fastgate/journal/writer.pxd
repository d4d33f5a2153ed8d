from libc.stdint cimport int64_t, uint64_t

cimport cython


cdef int64_t _most
cdef int64_t _frame


@cython.locals(size=int64_t)
cpdef int64_t framed(bytes body) except -1


cdef class JournalWriter:
    cdef readonly object journal_dir
    cdef uint64_t _epoch
    cdef int _node
    cdef public int _fd
    cdef int _lock_fd
    cdef int64_t _segment_bytes
    cdef bint _always
    cdef readonly str epoch
    cdef readonly int segment
    cdef readonly int64_t offset
    cdef readonly uint64_t sequence

    cpdef tuple append(self, int kind, bytes body)

    @cython.locals(size=int64_t, longer=int64_t, taken=int64_t, count=int, most=int)
    cpdef int extend(self, int kind, list bodies) except -1
