"""MessagePack, written field by field. Use: pack.pyx."""

from libc.stdint cimport int64_t, uint64_t


cdef class Packer:
    cdef unsigned char *data
    cdef Py_ssize_t size
    cdef Py_ssize_t room

    cpdef int begin(self, Py_ssize_t fields) except -1
    cpdef int array(self, Py_ssize_t count) except -1
    cpdef int text(self, str value) except -1
    cpdef int number(self, int64_t value) except -1
    cpdef int flag(self, bint value) except -1
    cpdef int value(self, object value) except -1
    cpdef int packed(self, object value) except -1
    cpdef bytes taken(self)

    cdef int reserve(self, Py_ssize_t more) except -1
    cdef int grow(self, Py_ssize_t more) except -1
    cdef int put(self, const char *p, Py_ssize_t size) except -1
    cdef int byte(self, unsigned char value) except -1
    cdef void mark(self, unsigned char kind, uint64_t value, int width) noexcept
    cdef int count(self, uint64_t value) except -1
    cdef int head(self, Py_ssize_t size, unsigned char fix, int fixed, unsigned char short_, unsigned char long_
                  ) except -1
