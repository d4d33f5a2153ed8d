# cython: language_level=3
"""Journal records into and out of the bytes of a segment: framed, checked, many written by one system call.

Owns the layout that journal/format.py describes. `append` keeps the interpreter lock: os.write would let other threads
run meanwhile, and for an append to the page cache (about 1.5 microseconds) that costs two thread switches a call,
because the server's I/O thread always waits for the lock; the event loop stands still either way. Knows nothing of
files, consumers or what a body means; whatever is not plainly the next whole record is left to the reader in Python.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from posix.uio cimport iovec, writev

from fastgate._core.crc cimport fg_crc32c, fg_crc_by_table, fg_crc_init

__all__ = ["TOGETHER_MAX", "append", "crc32c", "whole_records"]

cdef enum:
    VERSION = 1
    TOGETHER = 256  # the system takes 1,024 pieces in one call, and a record is two

TOGETHER_MAX = TOGETHER
"""Most records that one call of `append` takes."""

fg_crc_init()


def crc32c(bytes data, uint32_t crc=0, *, bint by_table=False):
    """The CRC32C of `data`, after what `crc` is the checksum of. `by_table` forces the portable loop."""
    if by_table:
        return ~fg_crc_by_table(~crc, <const unsigned char *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    return fg_crc32c(crc, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


def append(int fd, unsigned char kind, uint16_t node, uint64_t epoch, uint64_t sequence, list bodies):
    """Write a record for each of `bodies` to `fd`, at most TOGETHER_MAX, in one call; the first has the number
    `sequence`. Returns the number of bytes taken, frames included. OSError as os.write raises it, but for an
    interruption by a signal before the first byte, which is tried again."""
    cdef FgFrame frames[TOGETHER]
    cdef iovec parts[2 * TOGETHER]
    cdef FgFrame *frame
    cdef bytes body
    cdef int i, count = <int>len(bodies)
    cdef Py_ssize_t taken, size
    if count > TOGETHER:
        raise ValueError(f"{count} records at once; {TOGETHER} are taken")
    for i in range(count):
        body = bodies[i]
        size = PyBytes_GET_SIZE(body)
        frame = &frames[i]
        frame.length = <uint32_t>(STAMP + size)
        frame.version = VERSION
        frame.kind = kind
        frame.node = node
        frame.epoch = epoch
        frame.sequence = sequence + i
        frame.crc = fg_crc32c(fg_crc32c(0, &frame.version, STAMP), PyBytes_AS_STRING(body), size)
        parts[2 * i].iov_base = frame
        parts[2 * i].iov_len = LEAD + STAMP
        parts[2 * i + 1].iov_base = PyBytes_AS_STRING(body)
        parts[2 * i + 1].iov_len = <size_t>size
    while True:
        taken = writev(fd, parts, 2 * count)
        if taken >= 0:
            return taken
        try:
            PyErr_SetFromErrno(OSError)
        except InterruptedError:
            continue


def whole_records(bytes window, Py_ssize_t at, uint64_t epoch, uint64_t sequence, int segment, int64_t base, int most):
    """The records that follow one another from `at` without a flaw: right checksum, this epoch, numbers going on from
    `sequence`. At most `most`, as tuples in the order of format.Record; `base` is where in its segment the window
    begins. Returns them and where the next one would begin."""
    cdef const char *data = PyBytes_AS_STRING(window)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(window)
    cdef FgFrame frame
    cdef list found = []
    while most > 0 and is_next(data + at, size - at, epoch, sequence + 1, &frame):
        body = PyBytes_FromStringAndSize(data + at + LEAD + STAMP, frame.length - STAMP)
        found.append((segment, base + at, frame.version, frame.kind, frame.node, frame.sequence, body))
        at += LEAD + frame.length
        sequence += 1
        most -= 1
    return found, at
