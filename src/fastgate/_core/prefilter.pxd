"""Whether a text may hold what one of many patterns looks for, told from short windows of which every match has one.

Most windows hold four bytes that can be written in a few ways. Of those grams, letters in one case, a Bloom filter of
8 KiB is asked at each byte of the text, and where it says yes, a table of the grams and the whole windows that have
them. The rest are compared in groups, by three of their bytes. All of it is 40 KiB for six thousand windows and a
text touches few lines of it, so it costs little where another process has emptied the caches, which a scan of all
patterns does not.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from fastgate._core.span cimport byte_t

cdef enum:
    MOST = 8  # bytes of a window
    FILTER_WORDS = 1024  # of 64 bits
    NEAR = 3  # bytes of a window without a gram that tell its group
    TEXT_MOST = 4096  # longer text mostly holds something that a pattern may begin with: work done twice


cdef struct Window:
    uint16_t given[MOST]  # the class of each byte, an index
    uint32_t size


# A gram and where it stands in a window.
cdef struct Entry:
    uint32_t gram
    uint16_t window
    uint16_t at


cdef class Prefilter:
    cdef uint64_t blooms[FILTER_WORDS]
    cdef uint64_t near[NEAR][256]  # groups whose windows may have the byte there
    cdef unsigned char* classes  # 32 bytes each, a bit a byte
    cdef Window* windows
    cdef readonly Py_ssize_t count  # windows
    cdef Entry* entries  # by gram
    cdef uint32_t entry_n
    cdef uint32_t* starts  # the first entry of each slot, and one more
    cdef Entry* grouped  # windows without a gram, by group
    cdef uint32_t groups[65]  # where each group begins

    cdef int take(self, list classes, list windows) except -1
    cdef int fill(self, list entries, list near) except -1
    cdef bint stands(self, const Entry* entry, const byte_t* begin, const byte_t* p, const byte_t* end) noexcept
    cdef bint has_gram(self, uint32_t gram, const byte_t* begin, const byte_t* p, const byte_t* end) noexcept
    cdef bint has_near(self, uint64_t groups, const byte_t* begin, const byte_t* p, const byte_t* end) noexcept
    cdef bint search(self, const byte_t* p, Py_ssize_t n) noexcept
    cdef bint may_hold(self, const byte_t* p, Py_ssize_t n) except -1
    cpdef bint may_match(self, bytes text) except -1
