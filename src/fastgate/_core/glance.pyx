"""Whether nothing is to be found in a whole answer: glance.pxd. Reads members as `blocks` does, the last of a name."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memset

from fastgate._core.prefilter cimport TEXT_MOST, Prefilter
from fastgate._core.span cimport (
    Cursor,
    Span,
    Text,
    byte_t,
    fg_unescape,
    is_null,
    next_within,
    read_key,
    skip_space,
    skip_within,
    text_is,
    text_of,
    to_next,
)

# What is open about a value: the answer; the answer, its content and the block.
cdef enum:
    IN_ANSWER = 1
    IN_BLOCK = 3


cdef bint is_bare(Span value, Prefilter prefilter) except -1:
    """Whether a (checked) value is a string that holds nothing."""
    cdef byte_t plain[TEXT_MOST]
    cdef Text text
    if not text_of(value, &text) or text.n > TEXT_MOST:
        return False
    if text.shrink == 0:
        return not prefilter.may_hold(text.p, text.n)
    fg_unescape(text.p, <size_t>text.n, plain)
    return not prefilter.may_hold(plain, text.n - text.shrink)


cdef const byte_t* past_block(const byte_t* p, const byte_t* end, Prefilter prefilter) except? NULL:
    """Past a content block that holds nothing; NULL for any other."""
    cdef Cursor cursor
    cdef Text key, type
    cdef Span value, text, citations
    cdef int found
    memset(&type, 0, sizeof(Text))
    text.p = citations.p = NULL
    cursor.p, cursor.end, cursor.first = p + 1, end, True
    while (found := next_within(&cursor, &key, &value, IN_BLOCK)) == 1:
        if text_is(key, b"type", 4):
            text_of(value, &type)
        elif text_is(key, b"text", 4):
            text = value
        elif text_is(key, b"citations", 9):
            citations = value
    if found < 0:
        return NULL
    if text_is(type, b"thinking", 8) or text_is(type, b"redacted_thinking", 17):
        return cursor.p
    if text_is(type, b"text", 4) and is_null(citations) and is_bare(text, prefilter):
        return cursor.p
    return NULL


cdef const byte_t* past_content(const byte_t* p, const byte_t* end, Prefilter prefilter) except? NULL:
    """Past a list of blocks of that kind; NULL for anything else."""
    cdef Cursor cursor
    cdef int found
    if p >= end or p[0] != c'[':
        return NULL
    cursor.p, cursor.end, cursor.first = p + 1, end, True
    while (found := to_next(&cursor, c']')) == 1:
        if cursor.p >= end or cursor.p[0] != c'{':
            return NULL
        cursor.p = past_block(cursor.p, end, prefilter)
        if cursor.p == NULL:
            return NULL
    if found < 0:
        return NULL
    return cursor.p


cpdef bint holds_nothing(bytes answer, Prefilter prefilter) except -1:
    cdef const byte_t* p = <const byte_t*>PyBytes_AS_STRING(answer)
    cdef const byte_t* end = p + len(answer)
    cdef Cursor cursor
    cdef Text key
    cdef int found
    p = skip_space(p, end)
    if p >= end or p[0] != c'{':
        return False
    cursor.p, cursor.end, cursor.first = p + 1, end, True
    while (found := to_next(&cursor, c'}')) == 1:
        p = read_key(cursor.p, end, &key)
        if p == NULL:
            return False
        if text_is(key, b"content", 7):
            cursor.p = past_content(p, end, prefilter)
        else:
            cursor.p = skip_within(p, end, IN_ANSWER)
        if cursor.p == NULL:
            return False
    return found == 0 and skip_space(cursor.p, end) == end
