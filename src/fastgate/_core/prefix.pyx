"""The prompt of a request as a provider's prompt cache sees it: one print a block, in the cache's order, tools before
system before messages, whatever the order of the body.

Two prompts have the same prefix as far as their prints agree. Where `cache_control` stands makes none of them differ,
nor whether a text stands as a string or as a block: clients move the one and change the other from turn to turn
(facts of Claude Code's wire format). White space and escapes do: what a client sends twice it writes twice alike.

Reads what `read_request` accepted and noted; the layout of the result is prefix.pyi's.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from fastgate._core.request cimport KIND_OTHER, KIND_TEXT, Piece, RequestView
from fastgate._core.span cimport (
    Cursor,
    Span,
    Text,
    byte_t,
    next_item,
    next_member,
    open_array,
    open_object,
    span_of,
    text_is,
    text_of,
)

cdef extern from "print.h" nogil:
    uint64_t fg_fold(uint64_t a, uint64_t b) noexcept
    uint64_t fg_print(const unsigned char* p, size_t n, uint64_t seed) noexcept

BLOCKS_MAX = 4096
"""Blocks that are told apart; the print of the last stands for all that follow. A conversation that fills the context
window has some eight hundred."""

cdef Py_ssize_t LIMIT = BLOCKS_MAX

cdef enum Area:
    AREA_TOOLS
    AREA_SYSTEM
    AREA_MESSAGES

cdef enum Flag:
    FLAG_KIND = 2  # shift of the kind
    FLAG_MARKED = 1 << 5
    FLAG_HOUR = 1 << 6
    FLAG_FIRST = 1 << 7  # of its message

# A print is 32 bits of 64: two that differ are taken for one once in four billion.
cdef struct Chain:
    const byte_t* start
    uint32_t* prints
    uint32_t* starts
    byte_t* flags
    Py_ssize_t n


cdef inline uint32_t narrow(uint64_t whole) noexcept nogil:
    return <uint32_t>(whole ^ whole >> 32)


cdef void add(Chain* chain, const byte_t* p, uint64_t whole, int flags) noexcept:
    if chain.n == LIMIT:
        chain.prints[LIMIT - 1] = narrow(fg_fold(chain.prints[LIMIT - 1] ^ whole, <uint64_t>LIMIT | 1))
        chain.flags[LIMIT - 1] |= flags & (FLAG_MARKED | FLAG_HOUR)
        return
    chain.prints[chain.n] = narrow(whole)
    chain.starts[chain.n] = <uint32_t>(p - chain.start)
    chain.flags[chain.n] = <byte_t>flags
    chain.n += 1


cdef int marked(Span control) noexcept:
    """The flags of a `cache_control`."""
    cdef Cursor cursor
    cdef Text key, text
    cdef Span value
    if not open_object(control, &cursor):
        return 0
    while next_member(&cursor, &key, &value) == 1:
        if text_is(key, b"ttl", 3) and text_of(value, &text) and text_is(text, b"1h", 2):
            return FLAG_MARKED | FLAG_HOUR
    return FLAG_MARKED


cdef uint64_t print_of_member(const byte_t* name, Py_ssize_t name_n, Span value) noexcept:
    return fg_print(value.p, <size_t>value.n, fg_print(name, <size_t>name_n, 0))


cdef uint64_t print_of_string(Span text) noexcept:
    """The print of the text block that says the same."""
    cdef Span type
    type.p, type.n = <const byte_t*>b'"text"', 6
    return print_of_member(b"type", 4, type) + print_of_member(b"text", 4, text)


cdef uint64_t print_of_object(Span block, int* flags) noexcept:
    """Of all members but `cache_control`, in any order."""
    cdef Cursor cursor
    cdef Text key
    cdef Span value
    cdef uint64_t whole = 0
    if not open_object(block, &cursor):
        return fg_print(block.p, <size_t>block.n, 1)
    while next_member(&cursor, &key, &value) == 1:
        if text_is(key, b"cache_control", 13):
            flags[0] |= marked(value)
        else:
            whole += print_of_member(key.p, key.n, value)
    return whole


cdef uint64_t print_without_mark(Span block, int* flags) except? 0:
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
            flags[0] |= marked(value)
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


cdef int add_list(Chain* chain, Span value, int area) noexcept:
    """Tools, or a system prompt of blocks or of one string."""
    cdef Cursor cursor
    cdef Span item
    cdef uint64_t whole
    cdef int flags
    if not open_array(value, &cursor):
        if value.p != NULL and value.n and value.p[0] == c'"':
            add(chain, value.p, print_of_string(value), area | KIND_TEXT << FLAG_KIND)
        return 0
    while next_item(&cursor, &item) == 1:
        flags = area | (KIND_OTHER if area == AREA_TOOLS else KIND_TEXT) << FLAG_KIND
        whole = print_of_object(item, &flags)
        add(chain, item.p, whole, flags)
    return 0


cdef int add_messages(Chain* chain, RequestView view) except -1:
    cdef Py_ssize_t i
    cdef Piece* piece
    cdef Span block
    cdef uint64_t whole
    cdef int flags
    for i in range(view.piece_n):
        piece = &view.pieces[i]
        block = span_of(chain.start + piece.start, chain.start + piece.end)
        flags = AREA_MESSAGES | piece.kind << FLAG_KIND
        if i == 0 or piece.message != view.pieces[i - 1].message:
            flags |= FLAG_FIRST
        if piece.bare:
            whole = print_of_string(block)
        elif piece.kind == KIND_TEXT:
            whole = print_of_object(block, &flags)
        elif piece.marked:
            whole = print_without_mark(block, &flags)
        else:
            whole = fg_print(block.p, <size_t>block.n, 1)
        add(chain, block.p, whole, flags)
    return 0


cdef Py_ssize_t room_for(RequestView view, Span tools, Span system) noexcept:
    """As many blocks as there can be."""
    cdef Cursor cursor
    cdef Span item
    cdef Py_ssize_t n = view.piece_n + 1
    if open_array(system, &cursor):
        while n < LIMIT and next_item(&cursor, &item) == 1:
            n += 1
    if open_array(tools, &cursor):
        while n < LIMIT and next_item(&cursor, &item) == 1:
            n += 1
    return min(n, LIMIT)


def read_prefix(RequestView view not None, bytes body not None):
    """The prefix of the body that `view` was read from; see prefix.pyi."""
    cdef Chain chain
    cdef Span tools, system
    cdef Py_ssize_t room
    cdef byte_t* all_of_it
    cdef bytes told
    if view.piece_n == 0:
        return b""
    chain.start = <const byte_t*>PyBytes_AS_STRING(body)
    chain.n = 0
    tools = span_of(chain.start + view.tools_start, chain.start + view.tools_end)
    system = span_of(chain.start + view.system_start, chain.start + view.system_end)
    if view.tools_start < 0:
        tools.p = NULL
    if view.system_start < 0:
        system.p = NULL
    room = room_for(view, tools, system)
    all_of_it = <byte_t*>PyMem_Malloc(<size_t>(9 * room))
    if all_of_it == NULL:
        raise MemoryError()
    try:
        chain.prints = <uint32_t*>all_of_it
        chain.starts = chain.prints + room
        chain.flags = <byte_t*>(chain.starts + room)
        add_list(&chain, tools, AREA_TOOLS)
        add_list(&chain, system, AREA_SYSTEM)
        add_messages(&chain, view)
        told = PyBytes_FromStringAndSize(NULL, 9 * chain.n)
        memcpy(PyBytes_AS_STRING(told), chain.prints, <size_t>(4 * chain.n))
        memcpy(PyBytes_AS_STRING(told) + 4 * chain.n, chain.starts, <size_t>(4 * chain.n))
        memcpy(PyBytes_AS_STRING(told) + 8 * chain.n, chain.flags, <size_t>chain.n)
        return told
    finally:
        PyMem_Free(all_of_it)
