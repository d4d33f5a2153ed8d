r"""One layer of disguise off a text, and the way back from a place in it: escapes, and seams within a word.

Tools print JSON and source, so a block's text may hold strings that are escaped once more (`\u0041`, `\x41`, `%41`,
`&#65;`), and words in two pieces: over a line's end with the number that Read puts before the next, as strings that are
put together (`"AKIA" + "…"`), with something invisible between. Nothing says that the text is what it looks like:
whatever may be an escape or a seam is taken for one, in a copy that is only looked at.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memchr, memcpy

from fastgate._core.span cimport byte_t, fg_unescape


cdef extern from "joint.h" nogil:
    enum:
        FG_OF_A_KEY
        FG_MAY_JOIN
    const byte_t* fg_next_joint(const byte_t* begin, const byte_t* p, const byte_t* end, const byte_t* classes)

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


cdef enum:
    RUN_MAX = 64  # of a word on either side of a seam so much is looked at
    RUN_MIN = 12  # both sides together; the shortest keys have 20 signs
    GUTTER_MAX = 64
    BACKSLASHES_MAX = 8  # before a code; a longer run loses half of itself with each layer that is taken off
    DIGITS_MAX = 7


cdef byte_t CLASSES[256]


cdef int fill_classes() except -1:
    for code in range(256):
        CLASSES[code] = FG_OF_A_KEY if code < 128 and (chr(code).isalnum() or chr(code) in "_+/-") else 0
    for sign in "\\\r\n\"'`%&\xc2\xe2\xef":
        CLASSES[<int>ord(sign)] = FG_MAY_JOIN
    return 0


fill_classes()


cdef inline bint in_word(byte_t c) noexcept:
    return CLASSES[c] == FG_OF_A_KEY


cdef inline int digit_of(byte_t c) noexcept:
    return c - c'0' if c <= c'9' else (c | 0x20) - c'a' + 10


cdef inline const byte_t* past_blanks(const byte_t* p, const byte_t* end) noexcept:
    while p < end and (p[0] == c' ' or p[0] == c'\t'):
        p += 1
    return p


cdef inline const byte_t* past_number(const byte_t* p, const byte_t* end) noexcept:
    """Past the number that Read puts before a line, with its tab or arrow; NULL where there is none."""
    cdef const byte_t* stop = p
    while stop < end and stop - p < DIGITS_MAX and c'0' <= stop[0] <= c'9':
        stop += 1
    if stop > p and stop < end and stop[0] == c'\t':
        return stop + 1
    if stop > p and end - stop >= 3 and stop[0] == 0xE2 and stop[1] == 0x86 and stop[2] == 0x92:
        return stop + 3
    return NULL


cdef const byte_t* past_line(const byte_t* p, const byte_t* end) noexcept:
    """Past a line's end and what stands before the next line's text: blanks, the number that Read puts there."""
    cdef const byte_t* stop
    if p < end and p[0] == c'\r':
        p += 1
    if p >= end or p[0] != c'\n':
        return p
    p = past_blanks(p + 1, min(p + 1 + GUTTER_MAX, end))
    stop = past_number(p, end)
    return p if stop == NULL else past_blanks(stop, end)


cdef bint one_word(const byte_t* begin, const byte_t* left, const byte_t* right, const byte_t* end) noexcept:
    """Whether what ends at `left` and what begins at `right` may be a key in two pieces: long enough, with a digit."""
    cdef const byte_t* p = left
    cdef bint digit = False
    cdef Py_ssize_t n
    while p > begin and left - p < RUN_MAX and in_word((p - 1)[0]):
        p -= 1
        digit = digit or c'0' <= p[0] <= c'9'
    if p == left:
        return False
    n = left - p
    p = right
    while p < end and p - right < RUN_MAX and in_word(p[0]):
        digit = digit or c'0' <= p[0] <= c'9'
        p += 1
    return p > right and digit and n + (p - right) >= RUN_MIN


cdef Py_ssize_t line_seam(const byte_t* begin, const byte_t* p, const byte_t* end) noexcept:
    """A word that goes on in the next line; not where that begins with a name that something is given to."""
    cdef const byte_t* right = past_line(p + 1 if p[0] == c'\\' else p, end)
    cdef const byte_t* stop = right
    if not one_word(begin, p, right, end):
        return 0
    while stop < end and in_word(stop[0]):
        stop += 1
    stop = past_blanks(stop, end)
    return 0 if stop < end and (stop[0] == c'=' or stop[0] == c':' or stop[0] == c'(') else right - p


cdef Py_ssize_t string_seam(const byte_t* begin, const byte_t* p, const byte_t* end) noexcept:
    """The end of a string and the beginning of another that it is put together with."""
    cdef const byte_t* q = past_line(past_blanks(p + 1, end), end)
    cdef const byte_t* sign = q
    while q < end and q - sign < 2 and memchr(b"+.&~|<>\\", q[0], 8) != NULL:
        q += 1
    if q == p + 1:
        return 0
    q = past_line(past_blanks(q, end), end)
    if end - q >= 2 and memchr(b"rbfuRBFU", q[0], 8) != NULL:
        q += 1
    if q >= end or not (q[0] == c'"' or q[0] == c"'" or q[0] == c'`'):
        return 0
    return q + 1 - p if one_word(begin, p, q + 1, end) else 0


cdef Py_ssize_t invisible_seam(const byte_t* begin, const byte_t* p, const byte_t* end) noexcept:
    """A soft hyphen, a zero width or a mark of direction within a word."""
    cdef Py_ssize_t n = 0
    if p[0] == 0xC2:
        n = 2 if end - p >= 2 and p[1] == 0xAD else 0
    elif end - p < 3:
        return 0
    elif p[0] == 0xE2:
        n = 3 if (p[1] == 0x80 and 0x8B <= p[2] <= 0x8F) or (p[1] == 0x81 and 0xA0 <= p[2] <= 0xA4) else 0
    else:
        n = 3 if p[1] == 0xBB and p[2] == 0xBF else 0
    return n if n and one_word(begin, p, p + n, end) else 0


cdef Py_ssize_t code_at(const byte_t* p, const byte_t* end, byte_t* out) noexcept:
    r"""Bytes of `\x41`, `\101`, `%41`, `&#65;`, `&#x41;`, or of `\u0041` behind more than one backslash; the visible
    ASCII sign that it is at `out`. 0 for none."""
    cdef const byte_t* q = p + 1
    cdef int code = 0, base = 16, most = 2, least = 2, digits = 0
    if p[0] == c'\\':
        while q < end and q - p < BACKSLASHES_MAX and q[0] == c'\\':
            q += 1
        if q < end and q[0] == c'x':
            q += 1
        elif q < end and q[0] == c'u' and q - p >= 2:
            q, most, least = q + 1, 4, 4
        else:
            base, most, least = 8, 3, 3
    elif p[0] == c'&':
        if q >= end or q[0] != c'#':
            return 0
        q, base, most = q + 1, 10, 4
        if q < end and (q[0] | 0x20) == c'x':
            q, base = q + 1, 16
    while q < end and digits < most and is_hex(q[0]) and digit_of(q[0]) < base:
        code = code * base + digit_of(q[0])
        q, digits = q + 1, digits + 1
    if digits < least or not 0x21 <= code <= 0x7E:
        return 0
    if p[0] == c'&':
        if q >= end or q[0] != c';':
            return 0
        q += 1
    out[0] = <byte_t>code
    return q - p


cdef Py_ssize_t joint_at(
    const byte_t* begin, const byte_t* p, const byte_t* end, byte_t* out, Py_ssize_t* size
) noexcept:
    """Bytes of the escape or seam at `p`, 0 for none; what stands for it at `out`, and how many bytes that are."""
    cdef Py_ssize_t n
    size[0] = 1
    if p[0] == c'\\' or p[0] == c'%' or p[0] == c'&':
        n = code_at(p, end, out)
        if n:
            return n
        if p[0] != c'\\':
            return 0
        n = escape_at(p, end)
        if n:
            size[0] = <Py_ssize_t>fg_unescape(p, <size_t>n, out)
            return n
        if end - p < 2 or (p[1] != c'\n' and p[1] != c'\r'):
            return 0
    size[0] = 0
    if p[0] == c'"' or p[0] == c"'" or p[0] == c'`':
        return string_seam(begin, p, end)
    if p[0] >= 0x80:
        return invisible_seam(begin, p, end)
    return line_seam(begin, p, end)


@cython.final
cdef class Peeled:
    """A text with one layer of escapes and seams taken off."""

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
        the byte after it; within one, its start, or its end if `up`. A seam has no byte: up to it is to its start."""
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
        while up and low >= 2 and self.joints[low - 2].peeled == offset == self.joints[low - 1].peeled:
            low -= 2
            offset = self.joints[low].peeled
            if low < 2 or self.joints[low - 1].peeled != offset or self.joints[low - 2].peeled != offset:
                return self.joints[low].at
        return self.joints[low - 1].at + offset - self.joints[low - 1].peeled

    def place(self, Py_ssize_t start, Py_ssize_t end):
        return self.back(start, False), self.back(end, True)


def peel(bytes text not None):
    return peeled_of(<const byte_t*>PyBytes_AS_STRING(text), len(text))


cdef Peeled peeled_of(const byte_t* p, Py_ssize_t length):
    cdef const byte_t* begin = p
    cdef const byte_t* end = p + length
    cdef const byte_t* joint
    cdef byte_t* out
    cdef byte_t* start
    cdef byte_t put[8]
    cdef Py_ssize_t n, size = 0
    cdef bytes plain = None
    cdef Peeled peeled = None
    out = start = NULL
    while p < end:
        joint, n = fg_next_joint(begin, p, end, CLASSES), 0
        while joint < end:
            n = joint_at(begin, joint, end, put, &size)
            if n:
                break
            joint = fg_next_joint(begin, joint + 1, end, CLASSES)
        if peeled is None:
            if n == 0:
                return None
            peeled = Peeled.__new__(Peeled)
            plain = PyBytes_FromStringAndSize(NULL, end - begin + 1)
            start = out = <byte_t*>PyBytes_AS_STRING(plain)
        if joint - p > 2 * NEAR:
            # Far from any joint the peeled text would say what the text says: a NUL stands for it.
            if p != begin:
                memcpy(out, p, NEAR)
                out += NEAR
                p += NEAR
            peeled.add(p - begin, out - start)
            out[0] = 0
            out += 1
            p = joint - NEAR if joint < end else end
            peeled.add(p - begin, out - start)
        memcpy(out, p, <size_t>(joint - p))
        out += joint - p
        p = joint
        if p == end:
            break
        peeled.add(p - begin, out - start)
        memcpy(out, put, <size_t>size)
        out += size
        p += n
        peeled.add(p - begin, out - start)
    if peeled is None:
        return None
    peeled.text = plain[:out - start]
    return peeled


def unnumbered(bytes text not None):
    cdef const byte_t* p = <const byte_t*>PyBytes_AS_STRING(text)
    cdef const byte_t* end = p + len(text)
    cdef const byte_t* stop
    cdef const byte_t* line
    cdef bytes plain = PyBytes_FromStringAndSize(NULL, end - p)
    cdef byte_t* start = <byte_t*>PyBytes_AS_STRING(plain)
    cdef byte_t* out = start
    while p < end:
        stop = <const byte_t*>memchr(p, c'\n', <size_t>(end - p))
        stop = end if stop == NULL else stop + 1
        line = past_number(past_blanks(p, stop), stop)
        if line != NULL:
            p = line
        memcpy(out, p, <size_t>(stop - p))
        out += stop - p
        p = stop
    return plain[:out - start]
