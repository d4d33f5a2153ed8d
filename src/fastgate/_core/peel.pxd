from fastgate._core.span cimport byte_t


# Where the two texts part: from text byte `at` on, the peeled byte is `shift` less.
cdef struct Joint:
    Py_ssize_t at
    Py_ssize_t peeled


# A text with one layer of escapes and seams taken off.
cdef class Peeled:
    cdef readonly bytes text
    cdef Joint* joints
    cdef Py_ssize_t n
    cdef Py_ssize_t room

    cdef int add(self, Py_ssize_t at, Py_ssize_t peeled) except -1
    cdef Py_ssize_t back(self, Py_ssize_t offset, bint up) noexcept


cdef Peeled peeled_of(const byte_t* p, Py_ssize_t length)
