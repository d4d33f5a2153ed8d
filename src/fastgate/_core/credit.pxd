from libc.stdint cimport int64_t, uint64_t


cdef enum:
    CHECK = 128 * 1024
    WINDOW = 384 * 1024


cdef class Credit:
    cdef str client
    cdef uint64_t baseline
    cdef int64_t base_pushed
    cdef int64_t pushed
    cdef int64_t checked
    cdef readonly bint located

    cdef void push(self, Py_ssize_t size) noexcept
    cdef bint due(self) noexcept
    cdef int64_t outstanding(self) except -3
