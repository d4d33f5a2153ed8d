"""What goes out of an upstream connection: the head of a request, a request in one system call, and the header values
that may go back.

Used by the pump; knows nothing of exchanges.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.string cimport memcpy
from posix.uio cimport iovec, writev

__all__ = ["VALUE_BYTES_MAX", "request_head"]

VALUE_BYTES_MAX = 8 * 1024
"""Longest value of a response header that is passed back, as for the client's own."""

cdef Py_ssize_t VALUE_MAX = VALUE_BYTES_MAX

cdef enum:
    DIGITS = 20  # of any length


cpdef bytes request_head(bytes begin, str query, bytes fixed, bytes version, bytes lines, Py_ssize_t length):
    """`begin`, the query where there is one, `fixed`, `version` and `lines`, and the length of the body; in one pass,
    for every call has one."""
    cdef char digits[DIGITS]
    cdef int first = DIGITS
    cdef Py_ssize_t query_size
    cdef const char *asked = PyUnicode_AsUTF8AndSize(query, &query_size)
    cdef char *at
    cdef bytes head
    while first == DIGITS or length:
        first -= 1
        digits[first] = <char>(c"0" + length % 10)
        length //= 10
    head = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(begin) + (query_size + 1 if query_size else 0)
                                     + PyBytes_GET_SIZE(fixed) + PyBytes_GET_SIZE(version) + PyBytes_GET_SIZE(lines)
                                     + 16 + DIGITS - first + 4)
    at = put(PyBytes_AS_STRING(head), PyBytes_AS_STRING(begin), PyBytes_GET_SIZE(begin))
    if query_size:
        at = put(put(at, b"?", 1), asked, query_size)
    at = put(at, PyBytes_AS_STRING(fixed), PyBytes_GET_SIZE(fixed))
    at = put(at, PyBytes_AS_STRING(version), PyBytes_GET_SIZE(version))
    at = put(at, PyBytes_AS_STRING(lines), PyBytes_GET_SIZE(lines))
    at = put(put(at, b"content-length: ", 16), digits + first, DIGITS - first)
    put(at, b"\r\n\r\n", 4)
    return head


cdef inline char *put(char *at, const char *piece, Py_ssize_t size) noexcept:
    memcpy(at, piece, <size_t>size)
    return at + size


cdef bint send_now(int fd, object transport, bytes head, bytes body, bint lent) except -1:
    cdef iovec parts[2]
    cdef ssize_t taken = -1
    cdef Py_ssize_t head_size = PyBytes_GET_SIZE(head), body_size = PyBytes_GET_SIZE(body)
    if fd >= 0 and (not lent or transport.get_write_buffer_size() == 0):
        parts[0].iov_base = PyBytes_AS_STRING(head)
        parts[0].iov_len = <size_t>head_size
        parts[1].iov_base = PyBytes_AS_STRING(body)
        parts[1].iov_len = <size_t>body_size
        taken = writev(fd, parts, 2)
    if taken < 0:  # full, or broken: then the transport finds out and says so
        transport.writelines((head, body))
    elif taken < head_size:
        transport.writelines((head[taken:], body))
    elif taken < head_size + body_size:
        transport.write(memoryview(body)[taken - head_size:])
    else:
        return False
    return True


cdef bint passable(const char *value, Py_ssize_t size) noexcept:
    cdef Py_ssize_t i
    for i in range(size):
        if (<unsigned char>value[i] < 32 and value[i] != c"\t") or <unsigned char>value[i] > 126:
            return False
    return size <= VALUE_MAX
