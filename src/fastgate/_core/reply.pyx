# cython: language_level=3
"""The head of an answer that is plain: HTTP/1.1, whole in one read, its body's length stated once, nothing else about
framing or the connection. Read in one pass; llhttp, which calls back for each line, takes four times as long.

And what any head says of its answer (`AnswerHead`), whoever read its lines.

Owns what counts as plain, which is less than what llhttp takes: for the rest the pump asks llhttp, from the first byte
on. Where both take a head they read the same (tests/laws/test_reply.py).
"""

from libc.stdint cimport int64_t
from libc.string cimport memchr, memcmp
from posix.strings cimport strncasecmp

from fastgate._core.head cimport returned, same
from fastgate._core.sending cimport passable

__all__ = ["LINES_MAX", "RETURNED_MAX", "AnswerHead", "plain_head"]

RETURNED_MAX = 64
"""Response header lines that are passed back; Anthropic sends about ten of them."""

LINES_MAX = LINES
"""Header lines of a plain head; one with more is llhttp's."""

cdef int RETURNED_LINES_MAX = RETURNED_MAX

cdef enum:
    NAME_ROOM = 64          # longer header names are nobody's that we know
    STATUS_SIZE = 14        # "HTTP/1.1 200 " and one more
    DIGITS_MAX = 15         # of a length, which then is no overflow of any kind

cdef enum Framing:
    OTHER, LENGTH, KEPT, NOT_PLAIN

cdef const char *TOKEN = b"!#$%&'*+-.^_`|~"

cdef unsigned char[256] IS_TOKEN


cdef int fill() except -1:
    cdef int i
    for i in range(256):
        IS_TOKEN[i] = (c"a" <= i <= c"z" or c"A" <= i <= c"Z" or c"0" <= i <= c"9"
                       or (i != 0 and memchr(TOKEN, i, 15) != NULL))
    return 0


fill()


cdef bint plain(const char *data, Py_ssize_t size, Reply *reply) noexcept nogil:
    cdef const char *at = data
    cdef const char *end = data + size
    cdef const char *stop
    cdef Line *line
    cdef bint framed = False
    cdef Framing kind
    reply.count = 0
    reply.status = status_of(at, size)
    if not reply.status:
        return False
    at = line_end(data + STATUS_SIZE - 1, end)
    while at != NULL:
        at += 2
        if end - at >= 2 and at[0] == c"\r" and at[1] == c"\n":
            reply.begun = at + 2 - data
            return framed
        stop = line_end(at, end)
        if stop == NULL or reply.count == LINES:
            return False
        line = &reply.lines[reply.count]
        reply.count += 1
        if not split(at, stop, line):
            return False
        kind = framing(line)
        if kind == NOT_PLAIN or (kind == LENGTH and framed):
            return False
        if kind == LENGTH:
            framed = True
            reply.length = number(line.value, line.value_size)
            if reply.length < 0:
                return False
        at = stop
    return False


cdef inline int status_of(const char *data, Py_ssize_t size) noexcept nogil:
    """Of a status line with a reason; 0 where it is not plain. 1xx, 204 and 304 have no body whatever they state."""
    cdef int status
    if size < STATUS_SIZE or memcmp(data, b"HTTP/1.1 ", 9) != 0 or data[12] != c" ":
        return 0
    if not (c"2" <= data[9] <= c"5" and c"0" <= data[10] <= c"9" and c"0" <= data[11] <= c"9"):
        return 0
    status = (data[9] - c"0") * 100 + (data[10] - c"0") * 10 + data[11] - c"0"
    return 0 if status == 204 or status == 304 else status


cdef inline const char *line_end(const char *at, const char *end) noexcept nogil:
    """Where the CRLF of this line begins, NULL where it does not come or something else than printable ASCII does."""
    cdef const char *stop = <const char *>memchr(at, c"\r", <size_t>(end - at))
    cdef unsigned char bad = 0
    cdef Py_ssize_t i
    if stop == NULL or stop + 1 == end or stop[1] != c"\n":
        return NULL
    for i in range(stop - at):  # without a branch: many bytes at a time
        bad |= <unsigned char>(at[i] - 32) > 126 - 32
    return stop if not bad else NULL


cdef inline bint split(const char *at, const char *stop, Line *line) noexcept nogil:
    """A line's name and value: a token, a colon, a space or none, and what neither is empty nor begins or ends with a
    space."""
    line.name = at
    while IS_TOKEN[<unsigned char>at[0]]:  # as far as the CR at most: that is none
        at += 1
    line.name_size = at - line.name
    if line.name_size == 0 or at == stop or at[0] != c":":
        return False
    at += 1
    if at < stop and at[0] == c" ":
        at += 1
    line.value = at
    line.value_size = stop - at
    return line.value_size > 0 and at[0] != c" " and (stop - 1)[0] != c" "


cdef inline bint called(const Line *line, const char *name) noexcept nogil:
    """Whether the line's name, of the same size, is `name` in any case; there are letters and hyphens in it."""
    cdef Py_ssize_t i
    for i in range(line.name_size):
        if line.name[i] | 0x20 != name[i] | 0x20:
            return False
    return True


cdef inline Framing framing(const Line *line) noexcept nogil:
    """What a line says of the body's end or of the connection's. Only a length, and that it is kept, is plain."""
    if line.name_size == 14:
        return LENGTH if called(line, b"content-length") else OTHER
    if line.name_size == 10 and called(line, b"connection"):
        return KEPT if line.value_size == 10 and is_kept(line.value) else NOT_PLAIN
    if line.name_size == 17 and called(line, b"transfer-encoding"):
        return NOT_PLAIN
    if line.name_size == 16 and called(line, b"proxy-connection"):
        return NOT_PLAIN
    if line.name_size == 7 and (called(line, b"upgrade") or called(line, b"trailer")):
        return NOT_PLAIN
    return OTHER


cdef inline bint is_kept(const char *value) noexcept nogil:
    cdef Line line
    line.name, line.name_size = value, 10
    return called(&line, b"keep-alive")


cdef inline int64_t number(const char *value, Py_ssize_t size) noexcept nogil:
    """A length in digits, -1 where it is something else."""
    cdef int64_t found = 0
    cdef Py_ssize_t i
    if size > DIGITS_MAX:
        return -1
    for i in range(size):
        if not c"0" <= value[i] <= c"9":
            return -1
        found = found * 10 + value[i] - c"0"
    return found


def plain_head(bytes data):
    """As the pump reads `data`: (status, length of the body, where it begins, [(name, value), …]), or None where it is
    not plain."""
    cdef Reply reply
    cdef int i
    if not plain(data, len(data), &reply):
        return None
    lines = []
    for i in range(reply.count):
        line = &reply.lines[i]
        lines.append((line.name[:line.name_size], line.value[:line.value_size]))
    return reply.status, reply.length, reply.begun, lines


cdef inline bint begins(const char *value, Py_ssize_t size, const char *with_, Py_ssize_t least) noexcept:
    """A media type, whose letters may be of either case."""
    return size >= least and strncasecmp(value, with_, <size_t>least) == 0


cdef inline bint is_known(char first) noexcept:
    """Whether names that mean something begin so: anthropic-…, content-…, request-id, retry-…, transfer-…, x-…"""
    return first == c"a" or first == c"c" or first == c"r" or first == c"t" or first == c"x"


cdef class AnswerHead:
    """What the head of an answer says of it, and the lines of it that may be passed back."""

    cdef int forget(self) except -1:
        self.headers = []
        self.request_id = ""
        self.event_stream = self.framed = self.encoded = self.in_frames = False
        return 0

    cdef int note_line(self, const char *raw, Py_ssize_t size, const char *value, Py_ssize_t value_size) except -1:
        """Keep what a header line says: of the body, and what of it may be passed back."""
        cdef char lower[NAME_ROOM]
        cdef Py_ssize_t i
        if size > NAME_ROOM or not is_known(raw[0] | 0x20):
            return 0
        for i in range(size):
            lower[i] = raw[i] | 0x20 if c"A" <= raw[i] <= c"Z" else raw[i]
        if same(lower, size, b"content-length", 14) or same(lower, size, b"transfer-encoding", 17):
            self.framed = True
            return 0
        if same(lower, size, b"request-id", 10):
            if passable(value, value_size):
                self.request_id = value[:value_size].decode("ascii")
            return 0
        if same(lower, size, b"content-type", 12):
            self.in_frames = begins(value, value_size, b"application/vnd.amazon.eventstream", 34)
            self.event_stream = self.in_frames or begins(value, value_size, b"text/event-stream", 17)
            if self.in_frames:
                value, value_size = b"text/event-stream; charset=utf-8", 32
        elif same(lower, size, b"content-encoding", 16):
            self.encoded = self.encoded or value[:value_size].lower() not in (b"", b"identity")
        elif not returned(lower, size):
            return 0
        if len(self.headers) < RETURNED_LINES_MAX and passable(value, value_size):
            self.headers.append((lower[:size].decode("ascii"), value[:value_size].decode("ascii")))
        return 0
