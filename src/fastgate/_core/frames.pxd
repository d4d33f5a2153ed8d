from libc.stdint cimport int64_t

from fastgate._core.octets cimport Room
from fastgate._core.span cimport Span, byte_t
from fastgate._core.sse cimport Scanner


# The headers of one frame that mean something; p is NULL where absent.
cdef struct Labels:
    Span message_type
    Span event_type
    Span exception_type
    Span error_code
    Span error_message


cdef class FrameReader:
    cdef Room pending               # the beginning of a frame whose end has not come
    cdef Room plain                 # the data of the event being written
    cdef Room out                   # events written and not yet handed out
    cdef readonly bint broken       # a frame that is none came: nothing after it is read
    cdef readonly int64_t frames    # read whole

    @staticmethod
    cdef FrameReader new()

    # The events of the frames that this chunk completes, as server-sent events.
    cdef bytes translate(self, const byte_t* p, Py_ssize_t n)

    # Whether the stream stands between two frames.
    cdef bint between_frames(self) noexcept

    cdef const byte_t* read_frames(self, const byte_t* p, const byte_t* end) except NULL
    cdef bint take_frame(self, const byte_t* p, Py_ssize_t total) except -1
    cdef bint take_event(self, Span payload) except -1
    cdef int take_exception(self, Span code, Span payload, Span message) except -1


cdef class FrameWriter:
    cdef Scanner scanner
    cdef Room out

    @staticmethod
    cdef FrameWriter new()

    # The frames of the events that this chunk completes.
    cdef bytes translate(self, const byte_t* p, Py_ssize_t n)

    cdef int put_chunk(self, Span data) except -1
    cdef int put_exception(self, Span data) except -1
    cdef Py_ssize_t begin(self, bytes headers) except -1
    cdef int close(self, Py_ssize_t start) except -1
