"""Placeholders in an answer turned back into what they stand for, as the bytes pass.

A placeholder is `redacted_fg_` and 20 characters of base32; only those of this same call's request are known and
turned back. In a stream they are looked for in the text of one content block, whatever the deltas and reads that bring
it: the tail of a delta that may be the beginning of a placeholder is kept until the next one says so, at most 31 bytes.
Events that hold none pass as the provider wrote them, byte for byte. Only text and tool input are looked at: thinking
and its signature pass untouched.
"""

from fastgate._core.octets cimport Room
from fastgate._core.span cimport Span, byte_t

# What an event is to us.
cdef enum What:
    WHAT_OTHER, WHAT_PING, WHAT_TEXT, WHAT_JSON, WHAT_START, WHAT_STOP


# One event: its bytes, what it is, and the value (with quotes) that a delta adds, or the block that begins.
cdef struct Heard:
    Span raw
    int what
    Span index
    Span value


cdef class Restorer:
    cdef dict secrets
    cdef Room rest  # the beginning of an event whose end has not come
    cdef Room out
    cdef Room held  # the tail of a block's text that may begin a placeholder
    cdef Room plain
    cdef int held_what
    cdef byte_t index[24]
    cdef Py_ssize_t index_n
    cdef readonly Py_ssize_t restored  # placeholders turned back

    cdef int hear_all(self, const byte_t* p, const byte_t* end) except -1
    cdef int hear(self, Heard* heard) except -1
    cdef int hear_delta(self, Heard* heard) except -1
    cdef int flush_held(self) except -1
    cdef Py_ssize_t turn_back(self, const byte_t* p, Py_ssize_t n, bint in_json, bint last, Room* out) except -1
    cdef int turn_back_values(self, Span block, const byte_t** at) except -1


# The end of the event that begins at `p`, behind its blank line; NULL when it has not come.
cdef const byte_t* event_end(const byte_t* p, const byte_t* end) noexcept

# What the event says; its raw bytes are set.
cdef void read_event(Heard* heard) noexcept
