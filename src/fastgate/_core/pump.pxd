from libc.stdint cimport int64_t

from fastgate._core.credit cimport Credit
from fastgate._core.flight cimport FlightTable
from fastgate._core.frames cimport FrameReader
from fastgate._core.meter cimport Meter
from fastgate._core.reply cimport AnswerHead


cdef class Pump(AnswerHead):
    cdef object loop
    cdef object transport           # None before connection_made and after connection_lost
    cdef object parser
    cdef object send                # the client's push, while a stream is attached
    cdef object locate
    cdef object waiter              # future of the whole answer, a stream's content, and then of its end
    cdef object told                # called in its place
    cdef Meter meter
    cdef FlightTable flight
    cdef Credit credit
    cdef FrameReader frames         # of a stream that comes in frames
    cdef list pieces                # body read and not yet metered, or kept whole
    cdef list held                  # metered and not yet passed on
    cdef readonly list tape         # what was passed on, while it is recorded
    cdef readonly list tape_ns      # when each piece of it came, where that is asked for
    cdef object listener            # told of more on the tape, while the stream is shared
    cdef Py_ssize_t tape_left       # bytes that still fit on it
    cdef readonly object failure    # errors.Kind value or None
    cdef readonly int status        # 0 until a final head has come
    cdef readonly bint good         # 2xx
    cdef readonly bint received     # any byte of the answer has come
    cdef readonly bint paused
    cdef readonly int64_t exchanges  # how many this connection has begun
    cdef readonly int64_t bytes_out  # pushed to the client
    cdef readonly int64_t last_ns    # last upstream read, or the start
    cdef int64_t sent_ns            # last upstream read of which something went out
    cdef int64_t deadline_ns
    cdef int64_t hold_ns
    cdef int64_t hold_until_ns
    cdef int64_t idle_ns
    cdef int64_t ping_ns
    cdef int64_t pinged_ns
    cdef int64_t behind
    cdef double recheck_s
    cdef Py_ssize_t collected
    cdef Py_ssize_t held_bytes
    cdef int state
    cdef int outcome
    cdef int slot
    cdef int fd                     # of a plain connection's socket, else -1
    cdef bint lent                  # the transport was given what the socket did not take, and may still have it
    cdef int informational
    cdef Py_ssize_t head_bytes
    cdef int64_t left               # of a plain answer's body, -1 while llhttp reads
    cdef bint surplus               # another answer has begun behind the one asked for
    cdef bint wants_stream
    cdef bint flowing               # the head of a stream has come
    cdef readonly bint streaming    # and it is the answer to the last request: what to pass on
    cdef bint ripe                  # its content has begun, or it is held no longer
    cdef bint attached              # it is passed on
    cdef bint keep_alive
    cdef bint kept                  # others live on this stream
    cdef readonly bint client_gone
    cdef bint located

    cpdef object start(self, bytes head, bytes body, Meter meter, FlightTable flight, int slot, bint stream,
                       int64_t first_byte_ns, int64_t idle_ns, int64_t ping_ns, int64_t hold_ns=*, object told=*)
    cdef int parse(self, bytes data) except -1
    cdef bint open_plain(self, bytes data) except -1
    cdef int take(self, bytes data, Py_ssize_t begun) except -1
    cdef int keep_piece(self, bytes body) except -1
    cdef int begin(self, int status) except -1
    cdef int flush(self) except -1
    cdef int deliver(self, bytes chunk) except -1
    cdef bytes translate(self, bytes frames)
    cdef int push(self, bytes chunk) except -1
    cdef int note(self, bytes chunk) except -1
    cdef int check(self) except -1
    cdef int settle(self) except -1
    cdef int tell(self) except -1
    cdef int drop(self) except -1
