"""Boundaries of server-sent events, over any split of the bytes.

Contract (WHATWG HTML, 9.2.6): a line ends with LF, CR or CRLF; one leading byte order mark is skipped; a line that
starts with a colon is a comment; `data` lines are joined with LF; one space after the colon is dropped; a blank line
dispatches; an event without a `data` line is not dispatched; an event that the end of the stream cuts off is not
either. `id` and `retry` are passed over. Nothing is decoded.

Use: `feed` one chunk, then call `next` until it returns 0: each 1 is one event, valid until the next call. Every call
makes progress. Data that lies within one chunk is pointed at; only what straddles chunks or lines is copied.
"""

from fastgate._core.span cimport Span, byte_t

# The largest event carried over chunks, in bytes: twice the 32 MB that the Messages API accepts as one request, so that
# no answer to such a request comes near it.
cdef enum:
    EVENT_LIMIT = 67108864

# An event name is kept up to this many bytes: thrice the longest that providers send.
cdef enum:
    NAME_ROOM = 64


# One event. `name_n` is 0 when it has no name.
cdef struct Event:
    const byte_t* name
    Py_ssize_t name_n
    Span data


# Bytes that are ours, growing.
cdef struct Store:
    byte_t* p
    Py_ssize_t n
    Py_ssize_t room


cdef class Scanner:
    cdef const byte_t* at
    cdef const byte_t* end
    cdef Store line  # the beginning of a line whose end has not come
    cdef Store data  # joined or straddling data of the current event
    cdef Span view  # the current event's only data line, when it lies in the chunk
    cdef byte_t name[NAME_ROOM]
    cdef Py_ssize_t name_n
    cdef Py_ssize_t limit
    cdef int mark_n  # bytes of a byte order mark matched so far; MARK_PAST once decided
    cdef bint has_data
    cdef bint in_event  # a field line came since the last blank line
    cdef bint after_return  # the last line ended with CR: a LF right after belongs to it
    cdef bint line_over  # the current line is past the limit
    cdef bint dropped  # the current event is past the limit
    cdef readonly bint oversize

    @staticmethod
    cdef Scanner new(Py_ssize_t limit)

    cdef void feed(self, const byte_t* p, Py_ssize_t n) noexcept
    cdef int next(self, Event* event) except -1
    cdef bint between_events(self) noexcept
    cdef bint pass_mark(self) except -1
    cdef int keep_line(self, const byte_t* p, const byte_t* end) except -1
    cdef int take_field(self, const byte_t* p, Py_ssize_t n, bint in_chunk) except -1
    cdef int take_data(self, const byte_t* p, Py_ssize_t n, bint in_chunk) except -1
    cdef bint dispatch(self, Event* event) noexcept
