"""Views of bytes that others own, and readers of JSON over them. No unit of its own: everything here is inlined.

Lifetime: a Span is valid as long as the bytes it was cut from. Nothing is copied, nothing is written, nothing reads
at or past an end. Readers return NULL (or -1) for what is not JSON and say nothing more: which refusal to make of it
is the caller's business. Strings are checked leniently here (RFC 8259 grammar; not UTF-8, not surrogates): these
readers are for what providers send. What clients send is read by `request`, strictly.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcmp, memset

cdef extern from "skip.h" nogil:
    ctypedef struct fg_text:
        size_t shrink
        int fault
        const unsigned char* at
    enum:
        FG_FINE
        FG_OPEN
        FG_CONTROL
        FG_ESCAPE
        FG_SURROGATE
        FG_UTF8
    const unsigned char* fg_line_end(const unsigned char* p, const unsigned char* end) noexcept
    const unsigned char* fg_string_end(
        const unsigned char* p, const unsigned char* end, int strict, fg_text* text
    ) noexcept
    size_t fg_unescape(const unsigned char* p, size_t n, unsigned char* out) noexcept

ctypedef unsigned char byte_t

# Deepest nesting of containers inside one value of a provider's JSON: four times what a request may have, as tool input
# that a model wrote can be nested by itself.
cdef enum:
    DEPTH_LIMIT = 256
    DEPTH_WORDS = 4  # DEPTH_LIMIT bits


# Bytes that someone else owns; p is NULL for "absent".
cdef struct Span:
    const byte_t* p
    Py_ssize_t n


# A string without its quotes; `shrink` as in skip.h (0: the bytes are the text).
cdef struct Text:
    const byte_t* p
    Py_ssize_t n
    Py_ssize_t shrink


# The members of one object or the items of one array, in order. `first` until one was read.
cdef struct Cursor:
    const byte_t* p
    const byte_t* end
    bint first


cdef inline Span span_of(const byte_t* p, const byte_t* end) noexcept nogil:
    cdef Span span
    span.p = p
    span.n = end - p
    return span


cdef inline bint same(const byte_t* p, Py_ssize_t n, const char* word, Py_ssize_t word_n) noexcept nogil:
    return n == word_n and memcmp(p, word, <size_t>n) == 0


cdef inline bint text_is(Text text, const char* word, Py_ssize_t word_n) noexcept nogil:
    """Whether the string, once unescaped, is `word` (at most 64 bytes)."""
    if text.n - text.shrink != word_n:
        return False
    return memcmp(text.p, word, <size_t>word_n) == 0 if text.shrink == 0 else unescaped_is(text, word, word_n)


cdef inline bint unescaped_is(Text text, const char* word, Py_ssize_t word_n) noexcept nogil:
    """The same of one with escapes, which no writer makes of such names; apart, so that `text_is` stays short."""
    cdef unsigned char plain[64]
    if word_n > 64:
        return False
    memset(plain, 0, sizeof(plain))
    fg_unescape(text.p, <size_t>text.n, plain)
    return memcmp(plain, word, <size_t>word_n) == 0


cdef inline const byte_t* skip_space(const byte_t* p, const byte_t* end) noexcept nogil:
    while p < end and (p[0] == c' ' or p[0] == c'\n' or p[0] == c'\r' or p[0] == c'\t'):
        p += 1
    return p


cdef inline const byte_t* skip_digits(const byte_t* p, const byte_t* end) noexcept nogil:
    """Past one or more digits; NULL when there is none."""
    cdef const byte_t* start = p
    while p < end and c'0' <= p[0] <= c'9':
        p += 1
    return p if p > start else NULL


cdef inline const byte_t* skip_number(const byte_t* p, const byte_t* end) noexcept nogil:
    if p < end and p[0] == c'-':
        p += 1
    if p < end and p[0] == c'0':
        p += 1
    else:
        p = skip_digits(p, end)
    if p != NULL and p < end and p[0] == c'.':
        p = skip_digits(p + 1, end)
    if p != NULL and p < end and (p[0] == c'e' or p[0] == c'E'):
        p += 1
        if p < end and (p[0] == c'+' or p[0] == c'-'):
            p += 1
        p = skip_digits(p, end)
    return p


cdef inline const byte_t* skip_word(
    const byte_t* p, const byte_t* end, const char* word, Py_ssize_t n
) noexcept nogil:
    return p + n if end - p >= n and memcmp(p, word, <size_t>n) == 0 else NULL


cdef inline const byte_t* read_text(const byte_t* p, const byte_t* end, Text* text) noexcept nogil:
    """Past the string that starts at `p`, whose inside goes to `text`."""
    cdef fg_text learnt
    cdef const byte_t* close
    if p >= end or p[0] != c'"':
        return NULL
    close = fg_string_end(p + 1, end, False, &learnt)
    if close == NULL:
        return NULL
    text.p = p + 1
    text.n = close - (p + 1)
    text.shrink = <Py_ssize_t>learnt.shrink
    return close + 1


cdef inline const byte_t* read_key(const byte_t* p, const byte_t* end, Text* key) noexcept nogil:
    """Past the name of a member and its colon, to the first byte of the value."""
    p = read_text(p, end, key)
    if p == NULL:
        return NULL
    p = skip_space(p, end)
    if p >= end or p[0] != c':':
        return NULL
    return skip_space(p + 1, end)


cdef inline const byte_t* skip_scalar(const byte_t* p, const byte_t* end) noexcept nogil:
    cdef Text text
    if p >= end:
        return NULL
    if p[0] == c'"':
        return read_text(p, end, &text)
    if p[0] == c't':
        return skip_word(p, end, "true", 4)
    if p[0] == c'f':
        return skip_word(p, end, "false", 5)
    if p[0] == c'n':
        return skip_word(p, end, "null", 4)
    return skip_number(p, end)


cdef inline const byte_t* skip_value(const byte_t* p, const byte_t* end) noexcept nogil:
    """Past the value that starts at `p`, checked throughout."""
    return skip_within(p, end, 0)


cdef inline const byte_t* skip_within(const byte_t* p, const byte_t* end, int around) noexcept nogil:
    """The same of a value that `around` containers are open about, which count as its own would: who goes through them
    member by member takes no answer for sound that is too deep as a whole. Not recursive: open containers are bits
    (1: object)."""
    cdef uint64_t kinds[DEPTH_WORDS]
    cdef int depth = 0
    cdef bint is_object
    cdef Text key
    kinds[0] = kinds[1] = kinds[2] = kinds[3] = 0
    while True:
        if p < end and (p[0] == c'{' or p[0] == c'['):
            if depth + around == DEPTH_LIMIT:
                return NULL
            is_object = p[0] == c'{'
            if is_object:
                kinds[depth >> 6] |= <uint64_t>1 << (depth & 63)
            else:
                kinds[depth >> 6] &= ~(<uint64_t>1 << (depth & 63))
            depth += 1
            p = skip_space(p + 1, end)
            if p >= end:
                return NULL
            if p[0] != (c'}' if is_object else c']'):
                if is_object:
                    p = read_key(p, end, &key)
                    if p == NULL:
                        return NULL
                continue
        else:
            p = skip_scalar(p, end)
            if p == NULL:
                return NULL
            if depth == 0:
                return p
            p = skip_space(p, end)
        # After a value, or at the close of an empty container: close what closes here, then go on to the next value.
        while True:
            is_object = (kinds[(depth - 1) >> 6] >> ((depth - 1) & 63)) & 1
            if p >= end:
                return NULL
            if p[0] != (c'}' if is_object else c']'):
                break
            depth -= 1
            if depth == 0:
                return p + 1
            p = skip_space(p + 1, end)
        if p[0] != c',':
            return NULL
        p = skip_space(p + 1, end)
        if is_object:
            p = read_key(p, end, &key)
            if p == NULL:
                return NULL


cdef inline bint open_object(Span value, Cursor* cursor) noexcept nogil:
    """Whether the value is an object; then the cursor stands before its first member."""
    cursor.p = value.p + 1
    cursor.end = value.p + value.n
    cursor.first = True
    return value.p != NULL and value.n > 0 and value.p[0] == c'{'


cdef inline bint open_array(Span value, Cursor* cursor) noexcept nogil:
    """Whether the value is an array; then the cursor stands before its first item."""
    cursor.p = value.p + 1
    cursor.end = value.p + value.n
    cursor.first = True
    return value.p != NULL and value.n > 0 and value.p[0] == c'['


cdef inline int to_next(Cursor* cursor, byte_t closer) noexcept nogil:
    """1 before a further member or item, 0 past the closer, -1 for what is not JSON."""
    cursor.p = skip_space(cursor.p, cursor.end)
    if cursor.p >= cursor.end:
        return -1
    if cursor.p[0] == closer:
        cursor.p += 1
        return 0
    if not cursor.first:
        if cursor.p[0] != c',':
            return -1
        cursor.p = skip_space(cursor.p + 1, cursor.end)
    cursor.first = False
    return 1


cdef inline int next_member(Cursor* cursor, Text* key, Span* value) noexcept nogil:
    """1 and a member, 0 past the closing brace, -1 for what is not JSON."""
    return next_within(cursor, key, value, 0)


cdef inline int next_within(Cursor* cursor, Text* key, Span* value, int around) noexcept nogil:
    """The same of an object in which, itself counted, `around` containers are open."""
    cdef int found = to_next(cursor, c'}')
    cdef const byte_t* p
    if found != 1:
        return found
    p = read_key(cursor.p, cursor.end, key)
    if p == NULL:
        return -1
    cursor.p = skip_within(p, cursor.end, around)
    if cursor.p == NULL:
        return -1
    value[0] = span_of(p, cursor.p)
    return 1


cdef inline int next_item(Cursor* cursor, Span* value) noexcept nogil:
    """1 and an item, 0 past the closing bracket, -1 for what is not JSON."""
    cdef int found = to_next(cursor, c']')
    cdef const byte_t* p = cursor.p
    if found != 1:
        return found
    cursor.p = skip_value(p, cursor.end)
    if cursor.p == NULL:
        return -1
    value[0] = span_of(p, cursor.p)
    return 1


cdef inline bint is_null(Span value) noexcept nogil:
    return value.p == NULL or value.p[0] == c'n'


cdef inline bint text_of(Span value, Text* text) noexcept nogil:
    """Whether the (checked) value is a string; then its inside."""
    if value.p == NULL or value.n < 2 or value.p[0] != c'"':
        return False
    text.p = value.p + 1
    text.n = value.n - 2
    text.shrink = 0
    return memchr(text.p, c'\\', <size_t>text.n) == NULL or read_text(value.p, value.p + value.n, text) != NULL


cdef inline int64_t count_in(Span value, int64_t limit) noexcept nogil:
    """The (checked) value as a whole number from 0 to `limit`, written plainly; -1 for anything else."""
    cdef int64_t count = 0
    cdef Py_ssize_t i
    if value.n < 1 or value.n > 18:
        return -1
    for i in range(value.n):
        if not c'0' <= value.p[i] <= c'9':
            return -1
        count = count * 10 + (value.p[i] - c'0')
    return count if count <= limit else -1
