"""The content blocks of a prompt: their kinds, and the print of each. No unit of its own: everything here is inlined.

What prints that agree mean is said in prefix.pyx. They are made while a block is read, when its bytes are at hand.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from fastgate._core.request cimport (
    KIND_DOCUMENT,
    KIND_IMAGE,
    KIND_OTHER,
    KIND_TEXT,
    KIND_THINKING,
    KIND_TOOL_RESULT,
    KIND_TOOL_USE,
    Piece,
)
from fastgate._core.span cimport (
    Cursor,
    Span,
    Text,
    byte_t,
    next_member,
    open_object,
    span_of,
    text_is,
    text_of,
)

cdef extern from "print.h" nogil:
    uint64_t fg_fold(uint64_t a, uint64_t b) noexcept
    uint64_t fg_print(const unsigned char* p, size_t n, uint64_t seed) noexcept

cdef enum Mark:
    MARKED = 1  # it has a cache_control
    MARKED_HOUR = 2  # of an hour


cdef inline unsigned char kind_of(Text type) noexcept:
    if text_is(type, b"text", 4):
        return KIND_TEXT
    if text_is(type, b"tool_use", 8):
        return KIND_TOOL_USE
    if text_is(type, b"tool_result", 11):
        return KIND_TOOL_RESULT
    if text_is(type, b"image", 5):
        return KIND_IMAGE
    if text_is(type, b"document", 8):
        return KIND_DOCUMENT
    return KIND_THINKING if text_is(type, b"thinking", 8) or text_is(type, b"redacted_thinking", 17) else KIND_OTHER


cdef inline unsigned char mark_of(Span control) noexcept:
    """What a `cache_control` says."""
    cdef Cursor cursor
    cdef Text key, text
    cdef Span value
    if not open_object(control, &cursor):
        return 0
    while next_member(&cursor, &key, &value) == 1:
        if text_is(key, b"ttl", 3) and text_of(value, &text) and text_is(text, b"1h", 2):
            return MARKED | MARKED_HOUR
    return MARKED


cdef inline uint64_t print_of_member(const byte_t* name, Py_ssize_t name_n, Span value) noexcept:
    return fg_print(value.p, <size_t>value.n, fg_print(name, <size_t>name_n, 0))


cdef inline uint64_t print_of_string(Span text) noexcept:
    """The print of the text block that says the same."""
    cdef Span type
    type.p, type.n = <const byte_t*>b'"text"', 6
    return print_of_member(b"type", 4, type) + print_of_member(b"text", 4, text)


cdef inline uint64_t print_of_object(Span block, unsigned char* marks) noexcept:
    """Of all members but `cache_control`, in any order."""
    cdef Cursor cursor
    cdef Text key
    cdef Span value
    cdef uint64_t whole = 0
    if not open_object(block, &cursor):
        return fg_print(block.p, <size_t>block.n, 1)
    while next_member(&cursor, &key, &value) == 1:
        if text_is(key, b"cache_control", 13):
            marks[0] |= mark_of(value)
        else:
            whole += print_of_member(key.p, key.n, value)
    return whole


cdef inline uint64_t print_without_mark(Span block, unsigned char* marks) except? 0:
    """Of a block's bytes, its `cache_control` and one comma cut out."""
    cdef Cursor cursor
    cdef Text key
    cdef Span value
    cdef const byte_t* cut = NULL
    cdef const byte_t* after = NULL
    cdef const byte_t* before = block.p + 1  # where the member before ended
    cdef byte_t* rest
    cdef size_t head
    cdef uint64_t whole
    open_object(block, &cursor)
    while next_member(&cursor, &key, &value) == 1:
        if cut != NULL:
            if before == block.p + 1:
                after = key.p - 1  # it was the first: the comma after it goes too
            break
        if text_is(key, b"cache_control", 13):
            marks[0] |= mark_of(value)
            cut, after = before, value.p + value.n
        else:
            before = value.p + value.n
    head = <size_t>(cut - block.p)
    rest = <byte_t*>PyMem_Malloc(<size_t>block.n)
    if rest == NULL:
        raise MemoryError()
    memcpy(rest, block.p, head)
    memcpy(rest + head, after, <size_t>(block.p + block.n - after))
    whole = fg_print(rest, head + <size_t>(block.p + block.n - after), 1)
    PyMem_Free(rest)
    return whole


cdef inline int take_print(Piece* piece, const byte_t* body) except -1:
    """The print of a block that was read to its end, and whether its mark is of an hour."""
    cdef Span block = span_of(body + piece.start, body + piece.end)
    cdef unsigned char marks = 0
    if piece.bare:
        piece.whole = print_of_string(block)
    elif piece.kind == KIND_TEXT:
        piece.whole = print_of_object(block, &marks)
    elif piece.marked:
        piece.whole = print_without_mark(block, &marks)
    else:
        piece.whole = fg_print(block.p, <size_t>block.n, 1)
    piece.marks = marks
    return 0
