r"""One layer of JSON escapes off a text that holds JSON, and the way back from a place in it.

Tools print JSON, so a block's text may hold strings that are escaped once more: a key after `\n`, or written `\u0041`.
Nothing says that the text is JSON: whatever looks like an escape is taken for one, in a copy that is only looked at.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memchr, memcpy

from fastgate._core.span cimport byte_t, fg_unescape

# What lies further from an escape than rules reach (fastgate.guards.rule.AFTER) is not looked at again.
cdef enum:
    NEAR = 512


cdef inline bint is_hex(byte_t c) noexcept:
    return c'0' <= c <= c'9' or c'a' <= (c | 0x20) <= c'f'


cdef inline Py_ssize_t escape_at(const byte_t* p, const byte_t* end) noexcept:
    """Bytes of the escape at the backslash `p`, 0 for none. A surrogate is none: no secret holds one."""
    cdef byte_t c
    if end - p < 2:
        return 0
    c = p[1]
    if c == c'n' or c == c't' or c == c'r' or c == c'"' or c == c'\\' or c == c'/' or c == c'b' or c == c'f':
        return 2
    if c != c'u' or end - p < 6 or not (is_hex(p[2]) and is_hex(p[3]) and is_hex(p[4]) and is_hex(p[5])):
        return 0
    return 0 if (p[2] | 0x20) == c'd' and p[3] >= c'8' else 6


@cython.final
cdef class Peeled:
    """A text with one layer of JSON escapes taken off."""

    def __init__(self):
        raise TypeError("made by peel")

    def __dealloc__(self):
        PyMem_Free(self.joints)

    cdef int add(self, Py_ssize_t at, Py_ssize_t peeled) except -1:
        cdef Joint* grown
        if self.n == self.room:
            self.room = max(2 * self.room, 64)
            grown = <Joint*>PyMem_Realloc(self.joints, <size_t>self.room * sizeof(Joint))
            if grown == NULL:
                raise MemoryError()
            self.joints = grown
        self.joints[self.n].at, self.joints[self.n].peeled = at, peeled
        self.n += 1
        return 0

    cdef Py_ssize_t back(self, Py_ssize_t offset, bint up) noexcept:
        """The byte of the text that the peeled byte `offset` comes from. Joints come in pairs: an escape's start and
        the byte after it; within one, its start, or its end if `up`."""
        cdef Py_ssize_t low = 0, high = self.n, middle
        while low < high:
            middle = (low + high) // 2
            if self.joints[middle].peeled <= offset:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return offset
        if low & 1:  # in an escape, past its first byte or at it
            if offset == self.joints[low - 1].peeled:
                return self.joints[low - 1].at
            return self.joints[low].at if up else self.joints[low - 1].at
        return self.joints[low - 1].at + offset - self.joints[low - 1].peeled

    def place(self, Py_ssize_t start, Py_ssize_t end):
        return self.back(start, False), self.back(end, True)


def peel(bytes text not None):
    cdef const byte_t* p = <const byte_t*>PyBytes_AS_STRING(text)
    cdef const byte_t* begin = p
    cdef const byte_t* end = p + len(text)
    cdef const byte_t* slash
    cdef byte_t* out
    cdef byte_t* start
    cdef Py_ssize_t n, escapes = 0
    cdef bint at_start
    cdef bytes plain
    cdef Peeled peeled
    if memchr(p, c'\\', <size_t>(end - p)) == NULL:
        return None
    peeled = Peeled.__new__(Peeled)
    plain = PyBytes_FromStringAndSize(NULL, end - p)
    start = out = <byte_t*>PyBytes_AS_STRING(plain)
    while p < end:
        slash = <const byte_t*>memchr(p, c'\\', <size_t>(end - p))
        if slash == NULL:
            slash = end
        at_start = p == begin
        if slash - p > 2 * NEAR:
            # Far from any escape the peeled text would say what the text says: a NUL stands for it.
            if not at_start:
                memcpy(out, p, NEAR)
                out += NEAR
                p += NEAR
            peeled.add(p - begin, out - start)
            out[0] = 0
            out += 1
            p = slash - NEAR if slash < end else end
            peeled.add(p - begin, out - start)
        memcpy(out, p, <size_t>(slash - p))
        out += slash - p
        p = slash
        if p == end:
            break
        escapes += 1
        n = escape_at(p, end)
        if n == 0:
            escapes -= 1
            out[0] = p[0]
            out += 1
            p += 1
            continue
        peeled.add(p - begin, out - start)
        out += fg_unescape(p, <size_t>n, out)
        p += n
        peeled.add(p - begin, out - start)
    if escapes == 0:
        return None
    peeled.text = plain[:out - start]
    return peeled
