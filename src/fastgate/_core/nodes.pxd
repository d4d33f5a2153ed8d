"""A request body as a tree of nodes, and what its messages say: the structures that the canonical form (digest.pyx) is
read into and written from. Views into the body; nothing here allocates. Everything is inlined; there is no unit.
"""

from libc.stdint cimport uint32_t

from fastgate._core.span cimport byte_t, same


# As `read_request` allows, and one for what holds the body.
cdef enum:
    LEVEL_ROOM = 66


cdef enum Place:
    PLACE_OTHER
    PLACE_HOLDER
    PLACE_TOP
    PLACE_SYSTEM
    PLACE_ITEMS    # items that may carry cache_control and hold no such items themselves: tools
    PLACE_MESSAGES
    PLACE_MESSAGE
    PLACE_CONTENT  # items that may carry cache_control, and may hold content themselves
    PLACE_BLOCK
    PLACE_TOOL
    PLACE_SOURCE

# One value. `first` and `next` are places in the list, 0 for none (the list begins at 1).
cdef struct Node:
    const byte_t* name
    Py_ssize_t name_n
    const byte_t* p
    Py_ssize_t n
    Py_ssize_t shrink
    uint32_t first
    uint32_t next
    uint32_t count
    unsigned char kind  # { [ " 0 t f n
    bint wrapped        # a string that stands for a list of one text block

cdef struct Level:
    uint32_t node
    uint32_t last
    int place
    bint sorted

cdef struct Form:
    const byte_t* end
    Node* nodes
    uint32_t n
    uint32_t room
    byte_t* plain       # names and texts that were written with escapes, unescaped
    Py_ssize_t plain_n
    Py_ssize_t plain_room
    byte_t* out
    Py_ssize_t out_n
    Py_ssize_t out_room
    uint32_t spoken     # the last text of the user, 0 for none
    Py_ssize_t spoken_at
    Py_ssize_t spoken_n
    bint tool_results
    bint billed         # the client's billing block has been left out
    int depth
    Level levels[LEVEL_ROOM]


cdef inline bint is_word(Node* node, const char* word, Py_ssize_t n) noexcept:
    return node.kind == c'"' and node.shrink == 0 and same(node.p, node.n, word, n)


cdef inline uint32_t member(Form* f, uint32_t at, const char* name, Py_ssize_t n) noexcept:
    """The object's member of that name, 0 for none; also for what is no object."""
    if f.nodes[at].kind != c'{':
        return 0
    at = f.nodes[at].first
    while at and not same(f.nodes[at].name, f.nodes[at].name_n, name, n):
        at = f.nodes[at].next
    return at


cdef inline uint32_t note_content(Form* f, uint32_t content) noexcept:
    """The last text of a message's content, 0 for none; notes results of tools. A block whose type is written so that
    it cannot be told (with escapes, or not at all) may be one."""
    cdef uint32_t block, sort, text
    cdef uint32_t last = 0
    if f.nodes[content].kind == c'"':
        return content
    if f.nodes[content].kind != c'[':
        f.tool_results = True
        return 0
    block = f.nodes[content].first
    while block:
        sort = member(f, block, b"type", 4)
        if sort == 0 or f.nodes[sort].kind != c'"' or f.nodes[sort].shrink:
            f.tool_results = True
        elif is_word(&f.nodes[sort], b"tool_result", 11):
            f.tool_results = True
        elif is_word(&f.nodes[sort], b"text", 4):
            text = member(f, block, b"text", 4)
            if text and f.nodes[text].kind == c'"':
                last = text
        block = f.nodes[block].next
    return last


cdef inline void note_messages(Form* f, uint32_t messages) noexcept:
    """What the user said last, and whether there are results of tools."""
    cdef uint32_t role, content, text
    cdef uint32_t message = f.nodes[messages].first if f.nodes[messages].kind == c'[' else 0
    while message:
        role, content = member(f, message, b"role", 4), member(f, message, b"content", 7)
        if role and content:
            text = note_content(f, content)
            if text and is_word(&f.nodes[role], b"user", 4):
                f.spoken = text
        message = f.nodes[message].next
