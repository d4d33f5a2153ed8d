"""What goes out of an upstream connection: a request in one system call, and the header values that may go back.

Used by the pump; knows nothing of exchanges.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from posix.uio cimport iovec, writev

__all__ = ["VALUE_BYTES_MAX"]

VALUE_BYTES_MAX = 8 * 1024
"""Longest value of a response header that is passed back, as for the client's own."""

cdef Py_ssize_t VALUE_MAX = VALUE_BYTES_MAX


cdef int send_now(int fd, object transport, bytes head, bytes body) except -1:
    cdef iovec parts[2]
    cdef ssize_t taken = -1
    cdef Py_ssize_t head_size = PyBytes_GET_SIZE(head), body_size = PyBytes_GET_SIZE(body)
    if fd >= 0 and transport.get_write_buffer_size() == 0:
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
    return 0


cdef bint passable(const char *value, Py_ssize_t size) noexcept:
    cdef Py_ssize_t i
    for i in range(size):
        if (<unsigned char>value[i] < 32 and value[i] != c"\t") or <unsigned char>value[i] > 126:
            return False
    return size <= VALUE_MAX
