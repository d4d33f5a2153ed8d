"""What one response said, read off the bytes as they pass: usage, how far it got, how much was written.

Use, by the pump: one `Meter.new` a response; `feed` once per upstream read (the bytes are only borrowed for the
call); plain loads of the fields below in between. No Python object is made per event; the few strings are made when a
stream starts and ends.
"""

from libc.stdint cimport int64_t

from fastgate._core.span cimport Span
from fastgate._core.sse cimport Event, Scanner
from fastgate._core.usage cimport Usage


# The members of an event's data (or of a body) that mean something to some event.
cdef struct Members:
    Span type
    Span message
    Span delta
    Span usage
    Span block
    Span error
    # Of a whole message, which is its own event.
    Span model
    Span id
    Span stop_reason
    Span content
    # A member that is read came more than once.
    bint twice


cdef class Meter:
    cdef readonly Usage usage
    cdef readonly bint stream
    cdef readonly int64_t events  # dispatched, pings and unknown ones included
    cdef readonly bint started  # message_start came
    cdef readonly bint content_started  # any content_block event came
    cdef readonly bint stopped  # message_stop came
    cdef readonly bint errored  # an error event (or an error body) came
    cdef readonly int64_t output_bytes  # UTF-8 bytes of what the model wrote, unescaped
    cdef readonly str model
    cdef readonly str message_id
    cdef readonly str stop_reason
    cdef readonly str error_type
    cdef Scanner scanner
    cdef bint ended

    @staticmethod
    cdef Meter new(bint stream)

    cpdef object read_message(self, bytes body)

    # The number of events that this chunk completed.
    cdef int feed(self, const char* p, Py_ssize_t n) except -1

    # The stream stands between two events, so a whole event may be put in here.
    cdef bint between_events(self) noexcept

    # What can be charged now: the usage, or a floor under it when its end was never seen.
    cdef Usage floor_c(self)

    cdef int take_event(self, Event* event) except -1
    cdef int take_start(self, Span message, bint whole) except -1
    cdef int take_whole(self, Members* members) except -1
    cdef int take_delta(self, Span delta, Span usage) except -1
    cdef int take_error(self, Span error) except -1
    cdef void take_block(self, Span block, bint whole) noexcept
    cdef void take_content(self, Span content) noexcept


cpdef Meter new_meter(bint stream)
