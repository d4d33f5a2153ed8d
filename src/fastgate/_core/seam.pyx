"""Where two strings of a body meet: whether a word goes on from the one to the other, and how much of either tells it.

All of it works on raw strings, as they stand in the body, and cuts within no escape and no character.
"""

from libc.string cimport memcmp

from fastgate._core.span cimport Span, byte_t

cdef enum:
    # Raw bytes of a string's end and of the next one's beginning: what rules reach (BEFORE, AFTER in guards.rule).
    SEAM_BEFORE = 256
    SEAM_BEHIND = 512
    # Of either at most: a place to cut is sought so far, and a private key of 4,096 bits has 3,300.
    SEAM_FAR = 4096
    PEM_BEGIN_SIZE = 11
    PEM_END_SIZE = 9
    DASHES = 5

cdef const char* PEM_BEGIN = b"-----BEGIN "
cdef const char* PEM_END = b"-----END "


cdef inline bint is_apart(byte_t c) noexcept:
    """Whether a word ends at this sign, which is of no escape and of no character of several bytes."""
    return c == c' ' or c == c',' or c == c';' or c == c'=' or c == c':' or c == c'(' or c == c'<' or c == c'&'


cdef inline bint is_word(byte_t c) noexcept:
    return (
        c'a' <= (c | 0x20) <= c'z' or c'0' <= c <= c'9' or c == c'_' or c == c'+' or c == c'/' or c == c'-' or c == c'.'
    )


cdef inline bint is_escaped(const byte_t* p) noexcept:
    """Whether the sign at `p` belongs to the backslash before it: an odd number of them. A quote stands before all."""
    cdef const byte_t* at = p - 1
    while at[0] == c'\\':
        at -= 1
    return (p - 1 - at) & 1


cdef bint is_whole(const byte_t* start, const byte_t* p) noexcept:
    """Whether a raw string that begins at `start` may be cut before `p`: within no escape and no character."""
    cdef Py_ssize_t back
    if p[0] & 0xC0 == 0x80 or is_escaped(p):
        return False
    for back in range(1, min(p - start, 5)):  # four digits follow the u of an escape
        if (p - back)[0] == c'u' and is_escaped(p - back):
            return False
    return True


cdef inline bint is_other(const byte_t* hex) noexcept:
    """Whether the four digits of an escape are of a sign beyond ASCII."""
    return hex[0] != c'0' or hex[1] != c'0' or hex[2] > c'7'


cdef bint ends_word(const byte_t* start, const byte_t* p) noexcept:
    """Whether a word has ended before `p`: behind a blank, the end of a line, or a sign that is of no key."""
    cdef byte_t last
    if p == start:
        return True
    last = (p - 1)[0]
    if is_apart(last):
        return True
    if last >= 0x80:
        return p[0] & 0xC0 != 0x80
    if last == c'n' or last == c't' or last == c'r':
        return is_escaped(p - 1)
    return p - start >= 6 and (p - 5)[0] == c'u' and is_escaped(p - 5) and is_other(p - 4)


cdef bint begins_apart(const byte_t* start, const byte_t* p) noexcept:
    """Whether a word ends at `p`, which is within the string and its closing quote."""
    if is_apart(p[0]):
        return True
    if p[0] & 0xC0 == 0xC0:
        return True
    if p[0] != c'\\' or is_escaped(p):
        return False
    if p[1] == c'u':
        return is_other(p + 2)
    return p[1] == c'n' or p[1] == c't' or p[1] == c'r'


cdef bint goes_on(Span left, Span right) noexcept:
    """Whether a word, or a value behind its name, may go on from the one raw string into the other, quotes and all."""
    cdef byte_t last, first
    if left.n < 3 or right.n < 3:
        return False
    last, first = left.p[left.n - 2], right.p[1]
    if is_escaped(left.p + left.n - 2):
        if last != c'"' and last != c'/':
            return False
    elif not (is_word(last) or last == c'=' or last == c':' or last == c'@' or last == c"'" or last == c'`'):
        return False
    if first == c'\\':
        return right.p[2] == c'u' or right.p[2] == c'"' or right.p[2] == c'/'
    return is_word(first) or first == c'=' or first == c':' or first == c'@' or first == c"'" or first == c'`'


cdef const byte_t* find(const byte_t* p, const byte_t* end, const char* word, Py_ssize_t n) noexcept:
    """Where the word first stands; NULL where it does not."""
    while end - p >= n:
        if p[0] == c'-' and memcmp(p, word, <size_t>n) == 0:
            return p
        p += 1
    return NULL


cdef const byte_t* open_pem(const byte_t* start, const byte_t* end) noexcept:
    """Where a PEM block begins that has no end yet; NULL for none."""
    cdef const byte_t* floor = max(start, end - SEAM_FAR)
    cdef const byte_t* p = end - PEM_BEGIN_SIZE
    while p >= floor:
        if p[0] == c'-':
            if memcmp(p, PEM_BEGIN, PEM_BEGIN_SIZE) == 0:
                return p
            if memcmp(p, PEM_END, PEM_END_SIZE) == 0:
                return NULL
        p -= 1
    return NULL


cdef const byte_t* seam_start(const byte_t* first, const byte_t* end) noexcept:
    """Where the part of a string begins that a seam has of its end: whole words, as far as the room allows."""
    cdef const byte_t* floor = max(first, end - SEAM_FAR)
    cdef const byte_t* p = max(first, end - SEAM_BEFORE)
    while p > floor and not ends_word(first, p):
        p -= 1
    while not is_whole(first, p):
        p += 1
    return p


cdef const byte_t* seam_end(const byte_t* first, const byte_t* end, bint in_pem) noexcept:
    """Where the part of a string ends that a seam has of its beginning; `in_pem`: with the end of that block."""
    cdef const byte_t* ceiling = min(end, first + SEAM_FAR)
    cdef const byte_t* p = min(end, first + SEAM_BEHIND)
    cdef const byte_t* closing
    if in_pem:
        closing = find(first, ceiling, PEM_END, PEM_END_SIZE)
        if closing != NULL:
            closing = find(closing + PEM_END_SIZE, ceiling, b"-----", DASHES)
        p = max(p, ceiling if closing == NULL else closing + DASHES)
    while p < ceiling and not begins_apart(first, p):
        p += 1
    while not is_whole(first, p):
        p -= 1
    return p
