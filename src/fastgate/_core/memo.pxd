"""Which blocks were judged before, and what was found in them. Bounded; forgets the longest unused first, in halves.

Most blocks are clean, and for them one mark in a C table is all that is kept; what was found in the others is a Python
object in a dictionary. Each is kept in two generations: when the young one is full, it becomes the old one and the
old one is dropped; a hit in the old one moves to the young one.
"""

from libc.stdint cimport uint64_t

cdef extern from "mark.h" nogil:
    ctypedef struct fg_mark_key:
        uint64_t word[130]
        uint64_t point[2]
        uint64_t spread[2]
    ctypedef struct fg_mark:
        uint64_t lane[2]
    fg_mark fg_mark_of(const unsigned char* p, size_t n, uint64_t seed, const fg_mark_key* key) noexcept


cdef class Memo:
    cdef fg_mark_key key
    cdef fg_mark* young
    cdef fg_mark* old
    cdef size_t mask
    cdef size_t limit
    cdef readonly size_t count  # marks in the young generation
    cdef dict found_young
    cdef dict found_old
    cdef size_t found_limit

    cdef fg_mark mark(self, const unsigned char* p, size_t n, uint64_t seed) noexcept
    cdef bint is_clean(self, fg_mark mark) noexcept
    cdef int add_clean(self, fg_mark mark) except -1
    cdef object found(self, bytes name)
    cdef int add_found(self, bytes name, object found) except -1
