from libc.stdint cimport uint32_t

from fastgate._core.span cimport Span, byte_t


# Bytes that are ours, growing. Starts zeroed; whoever holds it calls free_room at the end.
cdef struct Room:
    byte_t* p
    Py_ssize_t n
    Py_ssize_t room


# CRC-32 as in zlib, going on from `crc` (0 to begin).
cdef uint32_t crc32(uint32_t crc, const byte_t* p, Py_ssize_t n) noexcept nogil

# Make room for `more` bytes after those that are there.
cdef int reserve(Room* to, Py_ssize_t more) except -1
cdef int put(Room* to, const void* p, Py_ssize_t n) except -1
cdef int put_word(Room* to, const char* word) except -1

# All of it, as bytes; the room is empty after.
cdef bytes taken(Room* out)
cdef void free_room(Room* room) noexcept

# Append what the base64 text (padded, nothing else) says, line ends as spaces; False, with nothing appended, where it
# is none.
cdef bint put_decoded(Room* out, const byte_t* p, Py_ssize_t n) except -1
cdef int put_encoded(Room* out, const byte_t* p, Py_ssize_t n) except -1

# The text as the inside of a JSON string.
cdef int put_text(Room* out, Span text) except -1
cdef void blank_line_ends(byte_t* p, byte_t* end) noexcept nogil
