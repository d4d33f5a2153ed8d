from libc.stdint cimport int64_t

cdef enum:
    LINES = 64  # header lines of a plain head; providers behind a CDN send about thirty

cdef struct Line:
    const char *name
    Py_ssize_t name_size
    const char *value
    Py_ssize_t value_size

cdef struct Reply:
    int status
    int64_t length          # of the body, as stated
    Py_ssize_t begun        # where in the data it begins
    int count               # of the lines
    Line lines[LINES]       # views into the data

# Whether `data` begins with a whole plain head, which is then in `reply`.
cdef bint plain(const char *data, Py_ssize_t size, Reply *reply) noexcept nogil


cdef class AnswerHead:
    cdef readonly list headers      # (lower-case name, value) of what may be passed back
    cdef readonly str request_id    # the upstream's, or empty
    cdef readonly bint event_stream
    cdef readonly bint encoded
    cdef bint in_frames
    cdef bint framed                # it says where its body ends

    cdef int forget(self) except -1
    cdef int note_line(self, const char *raw, Py_ssize_t size, const char *value, Py_ssize_t value_size) except -1
