"""One write(2) without giving up the interpreter lock.

os.write lets other threads run meanwhile; for an append to the page cache (about 1.5 microseconds) that costs two
thread switches a call, because the server's I/O thread always waits for the lock. The event loop stands still either
way. Knows nothing of what is written.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from posix.unistd cimport write

__all__ = ["append"]


def append(int fd, bytes data):
    """Write `data` to `fd` in one call; returns the number of bytes taken. OSError as os.write raises it, but for an
    interruption by a signal before the first byte, which is tried again."""
    cdef Py_ssize_t taken
    while True:
        taken = write(fd, PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))
        if taken >= 0:
            return taken
        try:
            PyErr_SetFromErrno(OSError)
        except InterruptedError:
            continue
