# cython: language_level=3
"""One pass over a client's request headers: who it says it is, and the lines that may travel upstream.

Owns the allow-lists of both ways (`forwarded` here, `returned` in head.pxd). Nothing that is not named here is copied
upstream, whatever the client sends; framing headers are never copied. Knows nothing of keys, endpoints or policy.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcpy

from fastgate._core.letters cimport PyUnicode_GET_LENGTH, has_controls, utf8_of

__all__ = ["HeadTooLargeError", "RequestHead", "printable", "read_head"]

HEAD_BYTES_MAX = 64 * 1024
"""Most bytes of forwarded header lines; Granian's own header buffer is set to the same (gateway/serve.py)."""

VALUE_CHARS_MAX = 8 * 1024
"""Longest value of one header, as nginx and Apache have it. Claude Code's longest, its betas, has 400 characters."""

cdef Py_ssize_t HEAD_MAX = HEAD_BYTES_MAX, VALUE_MAX = VALUE_CHARS_MAX


class HeadTooLargeError(ValueError):
    """A header value, or all that would travel, is longer than anyone needs."""


cdef inline bint forwarded(const char *name, Py_ssize_t size) noexcept nogil:
    """Whether a header travels upstream verbatim: all of `anthropic-*` (open list), the SDK's own and tracing."""
    if starts(name, size, b"anthropic-", 10) or starts(name, size, b"x-stainless-", 12):
        return True
    if size == 5:
        return same(name, size, b"x-app", 5)
    if size == 6:
        return same(name, size, b"accept", 6)
    if size == 10:
        return same(name, size, b"user-agent", 10) or same(name, size, b"tracestate", 10)
    if size == 11:
        return same(name, size, b"traceparent", 11)
    if size == 12:
        return same(name, size, b"content-type", 12)
    if size == 15:
        return same(name, size, b"idempotency-key", 15)
    return False


@cython.final
@cython.freelist(64)
cdef class RequestHead:
    """What the headers said. Strings are empty when a header is absent; `hosts` counts Host headers.

    `lines` are the forwarded header lines, each ended by CRLF. `own` holds the gateway's own request headers
    (`x-fastgate-…`, `x-agentcc-…`), `encoded` is set when the body has a content-encoding, `misframed` when its
    transfer-encoding is anything but `chunked`, once: two readers could see two ends.
    """

    def __cinit__(self):
        self.api_key = self.bearer = self.session = self.agent = self.parent_agent = self.request_class = ""
        self.content_type = self.host = ""
        self.lines = b""
        self.own = None
        self.content_length = -1

    def __init__(self):
        raise TypeError("RequestHead is made by read_head")


cdef int note(RequestHead head, const char *name, Py_ssize_t size, str value) except -1:
    """Keep what the gateway reads itself. Names arrive in lower case."""
    cdef char first = name[0]
    if first == c"x":
        if same(name, size, b"x-api-key", 9):
            head.api_key = value
        elif same(name, size, b"x-claude-code-session-id", 24):
            head.session = value
        elif same(name, size, b"x-claude-code-agent-id", 22):
            head.agent = value
        elif same(name, size, b"x-claude-code-parent-agent-id", 29):
            head.parent_agent = value
        elif same(name, size, b"x-claude-code-request-class", 27):
            head.request_class = value
        elif starts(name, size, b"x-fastgate-", 11) or starts(name, size, b"x-agentcc-", 10):
            if head.own is None:
                head.own = []
            (<list>head.own).append((name[:size].decode("ascii"), value))
    elif first == c"a":
        if same(name, size, b"authorization", 13) and len(value) > 7 and value[:7].lower() == "bearer ":
            head.bearer = value[7:].strip()
        elif same(name, size, b"anthropic-version", 17):
            head.has_version = True
    elif first == c"c":
        if same(name, size, b"content-length", 14):
            head.content_length = length_in(value)
        elif same(name, size, b"content-encoding", 16):
            head.encoded = head.encoded or (value != "identity" and value != "")
        elif same(name, size, b"content-type", 12):
            head.content_type = value
    elif first == c"h" and same(name, size, b"host", 4):
        head.hosts += 1
        head.host = value
    elif first == c"t" and same(name, size, b"transfer-encoding", 17):
        head.misframed = head.chunked or value.lower() != "chunked"
        head.chunked = True
    return 0


cdef Py_ssize_t length_in(str value) except? -2:
    """The length that a content-length states; -2 for what is no number of at most 18 digits."""
    cdef Py_ssize_t size, i, length = 0
    cdef const char *p = utf8_of(value, &size)
    if not 0 < size < 19:
        return -2
    for i in range(size):
        if not c"0" <= p[i] <= c"9":
            return -2
        length = length * 10 + p[i] - c"0"
    return length


cdef bint is_host(str value) except -1:
    """Whether a Host names one host, with or without a port: what a name, an address or a `[…]` literal consists of."""
    cdef Py_ssize_t size, i
    cdef const char *p = utf8_of(value, &size)
    for i in range(size):
        if not (c"a" <= p[i] | 0x20 <= c"z" or c"0" <= p[i] <= c":" or p[i] in b"-._~%[]"):
            return False
    return size > 0


cdef inline bint clean(const char *value, Py_ssize_t size) noexcept nogil:
    """No control characters but tab: nothing in a value can end its line."""
    cdef Py_ssize_t i
    if has_controls(value, size):
        for i in range(size):
            if (<unsigned char>value[i] < 32 and value[i] != c"\t") or value[i] == 127:
                return False
    return True


cpdef bint printable(str text) except -1:
    """Whether it is ASCII, and none of it controls anything."""
    cdef Py_ssize_t size
    cdef const char *p = utf8_of(text, &size)
    return size == PyUnicode_GET_LENGTH(text) and not has_controls(p, size)


cpdef RequestHead read_head(list items):
    """Read `scope.headers.items()`: a list of (lower-case name, value). ValueError when a value holds a control
    character, HeadTooLargeError when one is longer than VALUE_CHARS_MAX or the forwarded lines than HEAD_BYTES_MAX."""
    cdef RequestHead head = RequestHead.__new__(RequestHead)
    cdef char buffer[8192]
    cdef Py_ssize_t used = 0, name_size, value_size
    cdef const char *name
    cdef const char *value
    cdef tuple item
    cdef bytearray spill = None
    for item in items:
        name = utf8_of(item[0], &name_size)
        if name_size == 0:
            continue
        if len(<str>item[1]) > VALUE_MAX:
            raise HeadTooLargeError(f"header {item[0][:64]} is longer than {VALUE_CHARS_MAX} characters")
        note(head, name, name_size, <str>item[1])
        if not forwarded(name, name_size):
            continue
        value = utf8_of(item[1], &value_size)
        if not clean(name, name_size) or not clean(value, value_size):
            raise ValueError(f"header {item[0]!r} holds a control character")
        if spill is None and used + name_size + value_size + 4 <= <Py_ssize_t>sizeof(buffer):
            memcpy(buffer + used, name, <size_t>name_size)
            used += name_size
            memcpy(buffer + used, b": ", 2)
            used += 2
            memcpy(buffer + used, value, <size_t>value_size)
            used += value_size
            memcpy(buffer + used, b"\r\n", 2)
            used += 2
            continue
        if spill is None:
            spill = bytearray(buffer[:used])
        spill += name[:name_size] + b": " + value[:value_size] + b"\r\n"
        if len(spill) > HEAD_MAX:
            raise HeadTooLargeError("the request headers are too large")
    head.misframed = head.misframed or (head.chunked and head.content_length != -1)
    head.host_fine = head.hosts == 1 and is_host(head.host)
    head.lines = bytes(spill) if spill is not None else PyBytes_FromStringAndSize(buffer, used)
    return head
