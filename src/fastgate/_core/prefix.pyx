"""The prompt of a request as a provider's prompt cache sees it: one print a block, in the cache's order, tools before
system before messages, whatever the order of the body.

Two prompts have the same prefix as far as their prints agree. Where `cache_control` stands makes none of them differ,
nor whether a text stands as a string or as a block: clients move the one and change the other from turn to turn
(facts of Claude Code's wire format). White space and escapes do: what a client sends twice it writes twice alike.

Reads what `read_request` accepted and noted; the layout of the result is prefix.pyi's.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport uint32_t, uint64_t

from fastgate._core.pieces cimport fg_fold, print_of_object, print_of_string
from fastgate._core.request cimport KIND_OTHER, KIND_TEXT, Piece, RequestView
from fastgate._core.span cimport Cursor, Span, byte_t, next_item, open_array, span_of

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
    FLAG_MARKS = 5  # and of what its mark says
    FLAG_FIRST = 1 << 7  # of its message

# A print is 32 bits of 64: two that differ are taken for one once in four billion.
cdef struct Block:
    uint32_t whole
    uint32_t start
    byte_t flags

cdef struct Chain:
    const byte_t* start
    Block* blocks
    Py_ssize_t n
    Py_ssize_t room


cdef inline uint32_t narrow(uint64_t whole) noexcept nogil:
    return <uint32_t>(whole ^ whole >> 32)


cdef int add(Chain* chain, const byte_t* p, uint64_t whole, int flags, int marks) except -1:
    cdef Block* grown
    cdef Block* last
    if chain.n == LIMIT:
        last = &chain.blocks[LIMIT - 1]
        last.whole = narrow(fg_fold(last.whole ^ whole, <uint64_t>LIMIT | 1))
        last.flags |= <byte_t>(marks << FLAG_MARKS)
        return 0
    if chain.n == chain.room:
        grown = <Block*>PyMem_Realloc(chain.blocks, <size_t>(2 * chain.room + 64) * sizeof(Block))
        if grown == NULL:
            raise MemoryError()
        chain.blocks, chain.room = grown, 2 * chain.room + 64
    last = &chain.blocks[chain.n]
    last.whole, last.start = narrow(whole), <uint32_t>(p - chain.start)
    last.flags = <byte_t>(flags | marks << FLAG_MARKS)
    chain.n += 1
    return 0


cdef int add_list(Chain* chain, Span value, int area) except -1:
    """Tools, or a system prompt of blocks or of one string."""
    cdef Cursor cursor
    cdef Span item
    cdef uint64_t whole
    cdef byte_t marks
    if not open_array(value, &cursor):
        if value.p != NULL and value.n and value.p[0] == c'"':
            add(chain, value.p, print_of_string(value), area | KIND_TEXT << FLAG_KIND, 0)
        return 0
    while next_item(&cursor, &item) == 1:
        marks = 0
        whole = print_of_object(item, &marks)
        add(chain, item.p, whole, area | (KIND_OTHER if area == AREA_TOOLS else KIND_TEXT) << FLAG_KIND, marks)
    return 0


cdef int add_messages(Chain* chain, RequestView view) except -1:
    cdef Py_ssize_t i
    cdef Piece* piece
    cdef int flags
    for i in range(view.piece_n):
        piece = &view.pieces[i]
        flags = AREA_MESSAGES | piece.kind << FLAG_KIND
        if i == 0 or piece.message != view.pieces[i - 1].message:
            flags |= FLAG_FIRST
        add(chain, chain.start + piece.start, piece.whole, flags, piece.marks)
    return 0


cdef bytes laid_out(Chain* chain):
    """As prefix.pyi says."""
    cdef Py_ssize_t i, n = chain.n
    cdef bytes told = PyBytes_FromStringAndSize(NULL, 9 * n)
    cdef uint32_t* prints = <uint32_t*>PyBytes_AS_STRING(told)
    cdef uint32_t* starts = prints + n
    cdef byte_t* flags = <byte_t*>(starts + n)
    for i in range(n):
        prints[i], starts[i], flags[i] = chain.blocks[i].whole, chain.blocks[i].start, chain.blocks[i].flags
    return told


def read_prefix(RequestView view not None, bytes body not None):
    """The prefix of the body that `view` was read from; see prefix.pyi."""
    cdef Chain chain
    cdef Span tools, system
    if view.piece_n == 0:
        return b""
    chain.start = <const byte_t*>PyBytes_AS_STRING(body)
    chain.n = 0
    chain.room = min(view.piece_n + view.tool_count + 8, LIMIT)
    tools = span_of(chain.start + view.tools_start, chain.start + view.tools_end)
    system = span_of(chain.start + view.system_start, chain.start + view.system_end)
    if view.tools_start < 0:
        tools.p = NULL
    if view.system_start < 0:
        system.p = NULL
    chain.blocks = <Block*>PyMem_Malloc(<size_t>chain.room * sizeof(Block))
    if chain.blocks == NULL:
        raise MemoryError()
    try:
        add_list(&chain, tools, AREA_TOOLS)
        add_list(&chain, system, AREA_SYSTEM)
        add_messages(&chain, view)
        return laid_out(&chain)
    finally:
        PyMem_Free(chain.blocks)
