"""The canonical form of a request: the same bytes for every way to write one question, other bytes for any other.

What the exact cache keys on. Left out is what does not reach the model's answer: `metadata`, `stream`, where the prompt
cache's `cache_control` stands, the client's billing block; and `model`, since the one that is sent may be another: who
makes a key adds it. Order of members, white space and escapes do not count; order of items, numbers as written and all
else do. The form is a prefix code, so no two different requests share it, and is never shown or sent:

    object  { name value ... }      members by the bytes of their names, each name as a string
    array   [ value ... ]
    string  " length bytes          length in groups of seven bits, low first; bytes as unescaped
    number  as written ,            true t, false f, null n

A string as a message's content or as `system` is the same as one text block (API reference, Messages), and so written.

Reads what `read_request` accepted: checked JSON, no name twice, at most 64 levels. Keeps no reference to the body.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport uint32_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy

from fastgate._core.digest cimport Canonical
from fastgate._core.nodes cimport (
    LEVEL_ROOM,
    PLACE_BLOCK,
    PLACE_CONTENT,
    PLACE_HOLDER,
    PLACE_ITEMS,
    PLACE_MESSAGE,
    PLACE_MESSAGES,
    PLACE_OTHER,
    PLACE_SOURCE,
    PLACE_SYSTEM,
    PLACE_TOOL,
    PLACE_TOP,
    Form,
    Level,
    Node,
    note_messages,
)
from fastgate._core.span cimport (
    Text,
    byte_t,
    fg_unescape,
    read_key,
    read_text,
    same,
    skip_number,
    skip_space,
    skip_value,
    skip_word,
)

NODES_MAX = 262_144
"""Values of one body; one with more has no canonical form. A conversation of 200 turns has some ten thousand, and a
body of nothing but numbers must not take forty times its size in memory."""

cdef uint32_t NODE_LIMIT = NODES_MAX

# What Claude Code writes in front of its system prompt: who pays, not what is asked (facts of its wire format).
cdef const char* BILLING = b"x-anthropic-billing-header:"
cdef enum:
    BILLING_N = 27


class CanonicalError(ValueError):
    """The body has no canonical form: it has too many values, or was not checked."""


# ---- Reading: the tree ----------------------------------------------------------------------------------------------

cdef uint32_t add_node(Form* f) except 0:
    cdef uint32_t room
    cdef Node* grown
    if f.n > NODE_LIMIT:
        raise CanonicalError("the body has too many values")
    if f.n == f.room:
        room = 4 * f.room
        grown = <Node*>PyMem_Realloc(f.nodes, room * sizeof(Node))
        if grown == NULL:
            raise MemoryError()
        f.nodes, f.room = grown, room
    f.n += 1
    return f.n - 1


cdef int plain_text(Form* f, Text text, const byte_t** p, Py_ssize_t* n) except -1:
    """The text unescaped: where it stands if it has no escape, else in the form's own room, which never moves."""
    if text.shrink == 0:
        p[0], n[0] = text.p, text.n
        return 0
    if f.plain == NULL:
        f.plain = <byte_t*>PyMem_Malloc(<size_t>f.plain_room)
        if f.plain == NULL:
            raise MemoryError()
    p[0] = f.plain + f.plain_n
    n[0] = <Py_ssize_t>fg_unescape(text.p, <size_t>text.n, f.plain + f.plain_n)
    f.plain_n += n[0]
    return 0


cdef bint left_out(int place, const byte_t* name, Py_ssize_t n) noexcept:
    """Whether that member does not reach the model's answer."""
    if place == PLACE_TOP:
        return (
            same(name, n, b"metadata", 8) or same(name, n, b"stream", 6) or same(name, n, b"model", 5)
            or same(name, n, b"cache_control", 13)
        )
    return (place == PLACE_BLOCK or place == PLACE_TOOL) and same(name, n, b"cache_control", 13)


cdef int place_within(Level* level, Node* node, bint is_object) noexcept:
    """What a container is that opens as `node` in `level`."""
    cdef int place = level.place
    if place == PLACE_HOLDER:
        return PLACE_TOP
    if place == PLACE_TOP and not is_object:
        if same(node.name, node.name_n, b"messages", 8):
            return PLACE_MESSAGES
        if same(node.name, node.name_n, b"system", 6):
            return PLACE_SYSTEM
        return PLACE_ITEMS if same(node.name, node.name_n, b"tools", 5) else PLACE_OTHER
    if is_object:
        if place == PLACE_MESSAGES:
            return PLACE_MESSAGE
        if place == PLACE_SYSTEM or place == PLACE_CONTENT:
            return PLACE_BLOCK
        if place == PLACE_ITEMS:
            return PLACE_TOOL
        return PLACE_SOURCE if place == PLACE_BLOCK and same(node.name, node.name_n, b"source", 6) else PLACE_OTHER
    if place == PLACE_MESSAGE or place == PLACE_BLOCK or place == PLACE_SOURCE:
        return PLACE_CONTENT if same(node.name, node.name_n, b"content", 7) else PLACE_OTHER
    return PLACE_OTHER


cdef bint is_wrapped(Level* level, Node* node) noexcept:
    """Whether a string in that place stands for a list of one text block."""
    if level.place == PLACE_MESSAGE:
        return same(node.name, node.name_n, b"content", 7)
    return level.place == PLACE_TOP and same(node.name, node.name_n, b"system", 6)


cdef bint word_byte(byte_t c) noexcept:
    return c'a' <= c <= c'z' or c'A' <= c <= c'Z' or c'0' <= c <= c'9' or c == c'_' or c == c'.' or c == c'-'


cdef bint is_billing(const byte_t* p, Py_ssize_t n) noexcept:
    """Whether a text is the client's billing line and nothing else: `x-anthropic-billing-header: name=value; ...`.
    A system prompt that merely begins with it is a prompt."""
    cdef Py_ssize_t i = BILLING_N
    cdef Py_ssize_t at
    if n <= BILLING_N or memcmp(p, BILLING, BILLING_N) != 0:
        return False
    while i < n:
        if p[i] != c' ':
            return False
        i += 1
        for closer in (c'=', c';'):
            at = i
            while i < n and word_byte(p[i]):
                i += 1
            if i == at or i == n or p[i] != closer:
                return False
            i += 1
    return True


cdef int order(const void* one, const void* other) noexcept nogil:
    """By the bytes of names, as memcmp; a name before those that it begins."""
    cdef const Node* a = (<const Node**>one)[0]
    cdef const Node* b = (<const Node**>other)[0]
    cdef int told = memcmp(a.name, b.name, <size_t>min(a.name_n, b.name_n))
    if told:
        return told
    return (a.name_n > b.name_n) - (a.name_n < b.name_n)


cdef int sort_members(Form* f, Node* node) except -1:
    cdef Node** list
    cdef uint32_t at = node.first
    cdef uint32_t i
    list = <Node**>PyMem_Malloc(node.count * sizeof(Node*))
    if list == NULL:
        raise MemoryError()
    for i in range(node.count):
        list[i] = &f.nodes[at]
        at = list[i].next
    qsort(list, node.count, sizeof(Node*), order)
    for i in range(node.count - 1):
        list[i].next = <uint32_t>(list[i + 1] - f.nodes)
    list[node.count - 1].next = 0
    node.first = <uint32_t>(list[0] - f.nodes)
    PyMem_Free(list)
    return 0


cdef int close_level(Form* f) except -1:
    cdef Level* level = &f.levels[f.depth]
    cdef Node* node = &f.nodes[level.node]
    cdef Node* member
    cdef Level* above
    if not level.sorted:
        sort_members(f, node)
    f.depth -= 1
    above = &f.levels[f.depth]
    # Claude Code's first system block, and nothing but it: what is dropped must say nothing to the model.
    if above.place != PLACE_SYSTEM or f.nodes[above.node].count != 1 or f.billed:
        return 0
    if level.place == PLACE_BLOCK and node.count == 2:
        member = &f.nodes[node.first]
        if member.kind == c'"' and same(member.name, member.name_n, b"text", 4) and is_billing(member.p, member.n):
            member = &f.nodes[member.next]
            if same(member.name, member.name_n, b"type", 4):
                f.nodes[above.node].first = f.nodes[above.node].count = above.last = 0
                f.billed = True
    return 0


cdef int link_node(Form* f, Level* level, uint32_t made) noexcept:
    """Makes the node the last of its container."""
    cdef Node* holder = &f.nodes[level.node]
    cdef Node* node = &f.nodes[made]
    cdef Node* before
    if level.last == 0:
        holder.first = made
    else:
        before = &f.nodes[level.last]
        if node.name != NULL and level.sorted and order(&before, &node) > 0:
            level.sorted = False
        before.next = made
    level.last = made
    holder.count += 1
    return 0


cdef const byte_t* read_scalar(Form* f, Level* level, Node* node, const byte_t* p) except NULL:
    cdef Text text
    cdef const byte_t* after
    if p[0] == c'"':
        after = read_text(p, f.end, &text)
        if after == NULL:
            raise CanonicalError("the body is not JSON")
        node.kind, node.p, node.n, node.shrink = c'"', text.p, text.n, text.shrink
        node.wrapped = is_wrapped(level, node)
        if text.shrink and level.place == PLACE_BLOCK and f.levels[f.depth - 1].place == PLACE_SYSTEM:
            plain_text(f, text, &node.p, &node.n)
            node.shrink = 0
        return after
    node.kind = p[0]
    if p[0] == c't':
        after = skip_word(p, f.end, b"true", 4)
    elif p[0] == c'f':
        after = skip_word(p, f.end, b"false", 5)
    elif p[0] == c'n':
        after = skip_word(p, f.end, b"null", 4)
    else:
        node.kind = c'0'
        after = skip_number(p, f.end)
    if after == NULL:
        raise CanonicalError("the body is not JSON")
    node.p, node.n = p, after - p
    return after


cdef const byte_t* read_members(Form* f, const byte_t* p, const byte_t** name, Py_ssize_t* name_n) except NULL:
    """Past the name of the next member that counts, to its value; or to the closing brace."""
    cdef Level* level = &f.levels[f.depth]
    cdef Text key
    while p < f.end and p[0] != c'}':
        p = read_key(p, f.end, &key)
        if p == NULL:
            raise CanonicalError("the body is not JSON")
        plain_text(f, key, name, name_n)
        if not left_out(level.place, name[0], name_n[0]):
            return p
        p = skip_value(p, f.end)
        if p == NULL:
            raise CanonicalError("the body is not JSON")
        p = skip_space(p, f.end)
        if p < f.end and p[0] == c',':
            p = skip_space(p + 1, f.end)
    return p


cdef int open_level(Form* f, uint32_t made, int place) except -1:
    cdef Level* level
    if f.depth + 1 == LEVEL_ROOM:
        raise CanonicalError("the body nests too deep")
    f.depth += 1
    level = &f.levels[f.depth]
    level.node, level.last, level.place, level.sorted = made, 0, place, True
    return 0


cdef int read_tree(Form* f, const byte_t* p) except -1:
    """The body as nodes; the levels that are open are kept in `f`, not on the C stack."""
    cdef const byte_t* name = NULL
    cdef Py_ssize_t name_n = 0
    cdef uint32_t made
    cdef Node* node
    cdef Level* level
    cdef bint is_object
    cdef byte_t closer
    while True:
        # Before a value, or before the close of a container that is empty or whose rest was left out.
        level = &f.levels[f.depth]
        closer = 0 if level.place == PLACE_HOLDER else (c'}' if f.nodes[level.node].kind == c'{' else c']')
        if p >= f.end:
            raise CanonicalError("the body ends too early")
        if closer == 0 or p[0] != closer:
            made = add_node(f)
            node = &f.nodes[made]
            node.name, node.name_n = (name if closer == c'}' else NULL), name_n
            node.first = node.next = node.count = 0
            node.shrink, node.wrapped = 0, False
            node.kind = p[0]
            is_object = p[0] == c'{'
            link_node(f, level, made)
            if is_object or p[0] == c'[':
                open_level(f, made, place_within(level, node, is_object))
                p = skip_space(p + 1, f.end)
                if is_object:
                    p = read_members(f, p, &name, &name_n)
                continue
            p = skip_space(read_scalar(f, level, node, p), f.end)
        # After a value: close what closes here, then on to the next.
        while p < f.end and (p[0] == c'}' or p[0] == c']') and f.depth > 0:
            close_level(f)
            p = skip_space(p + 1, f.end)
        if f.depth == 0:
            return 0
        if p >= f.end or p[0] != c',':
            raise CanonicalError("the body is not JSON")
        p = skip_space(p + 1, f.end)
        if f.nodes[f.levels[f.depth].node].kind == c'{':
            p = read_members(f, p, &name, &name_n)


# ---- Writing: the form ----------------------------------------------------------------------------------------------

cdef int put(Form* f, const void* p, Py_ssize_t n) except -1:
    cdef byte_t* grown
    cdef Py_ssize_t room
    if f.out_room - f.out_n < n:
        room = 2 * f.out_room + n
        grown = <byte_t*>PyMem_Realloc(f.out, <size_t>room)
        if grown == NULL:
            raise MemoryError()
        f.out, f.out_room = grown, room
    memcpy(f.out + f.out_n, p, <size_t>n)
    f.out_n += n
    return 0


cdef int put_string(Form* f, const byte_t* p, Py_ssize_t n, Py_ssize_t shrink) except -1:
    cdef byte_t head[12]
    cdef Py_ssize_t head_n = 1
    cdef Py_ssize_t left = n - shrink
    head[0] = c'"'
    while left >= 128:
        head[head_n] = <byte_t>(128 | (left & 127))
        left >>= 7
        head_n += 1
    head[head_n] = <byte_t>left
    put(f, head, head_n + 1)
    if shrink == 0:
        return put(f, p, n)
    if f.out_room - f.out_n < n:
        put(f, p, n)  # makes the room; what it wrote is overwritten
        f.out_n -= n
    f.out_n += <Py_ssize_t>fg_unescape(p, <size_t>n, f.out + f.out_n)
    return 0


cdef int put_node(Form* f, uint32_t at) except -1:
    """Recursive, as deep as `read_request` lets a body nest."""
    cdef Node* node = &f.nodes[at]
    cdef uint32_t child
    if node.kind == c'"':
        if node.wrapped:
            put(f, b'[{"\x04text', 8)
        if at == f.spoken:
            f.spoken_at = f.out_n
        put_string(f, node.p, node.n, node.shrink)
        if at == f.spoken:
            f.spoken_n = f.out_n - f.spoken_at
        if node.wrapped:
            put(f, b'"\x04type"\x04text}]', 14)
        return 0
    if node.kind == c'0':
        put(f, node.p, node.n)
        return put(f, b",", 1)
    put(f, &node.kind, 1)
    if node.kind != c'{' and node.kind != c'[':
        return 0
    child = node.first
    while child:
        if node.kind == c'{':
            put_string(f, f.nodes[child].name, f.nodes[child].name_n, 0)
        put_node(f, child)
        child = f.nodes[child].next
    return put(f, b"}" if node.kind == c'{' else b"]", 1)


# ---- What is made of it ---------------------------------------------------------------------------------------------

@cython.final
@cython.freelist(16)
cdef class Canonical:
    """A request's canonical form; fields in digest.pyi."""

    def __init__(self):
        raise TypeError("a Canonical is made by read_canonical")

    @property
    def spoken(self):
        cdef Py_ssize_t at = self.spoken_start + 1
        if self.spoken_end == self.spoken_start:
            return b""
        while (<const unsigned char*><char*>self.data)[at] & 128:
            at += 1
        return self.data[at + 1:self.spoken_end]


cdef int note_top(Form* f, Canonical made) except -1:
    """What of the top level decides whether an answer may be kept."""
    cdef uint32_t at = f.nodes[f.nodes[1].first].first
    cdef Node* node
    while at:
        node = &f.nodes[at]
        if same(node.name, node.name_n, b"temperature", 11) and node.kind == c'0':
            made.temperature = node.p[:node.n].decode("ascii")
        elif same(node.name, node.name_n, b"safeguards", 10) and node.kind != c'n':
            made.safeguards = True
        elif same(node.name, node.name_n, b"messages", 8):
            note_messages(f, at)
        at = node.next
    made.tool_results = f.tool_results
    return 0


cdef Canonical make(Form* f, const byte_t* p):
    cdef Canonical made = Canonical.__new__(Canonical)
    made.temperature = ""
    f.nodes = <Node*>PyMem_Malloc(f.room * sizeof(Node))
    f.out = <byte_t*>PyMem_Malloc(<size_t>f.out_room)
    if f.nodes == NULL or f.out == NULL:
        raise MemoryError()
    f.nodes[1].first = f.nodes[1].next = f.nodes[1].count = 0
    f.nodes[1].kind = c'['
    f.depth = 0
    f.billed = False
    f.levels[0].node, f.levels[0].last, f.levels[0].place, f.levels[0].sorted = 1, 0, PLACE_HOLDER, True
    read_tree(f, skip_space(p, f.end))
    note_top(f, made)
    put_node(f, f.nodes[1].first)
    made.data = PyBytes_FromStringAndSize(<char*>f.out, f.out_n)
    made.spoken_start, made.spoken_end = f.spoken_at, f.spoken_at + f.spoken_n
    return made


def read_canonical(bytes body not None):
    """The canonical form of a body that `read_request` accepted; CanonicalError for one that has none."""
    cdef Form f
    cdef const byte_t* p = body
    f.end = p + len(body)
    f.n, f.room, f.nodes = 2, 1024, NULL
    f.plain, f.plain_n, f.plain_room = NULL, 0, len(body)
    f.out, f.out_n, f.out_room = NULL, 0, len(body) + 1024
    f.spoken, f.spoken_at, f.spoken_n, f.tool_results = 0, 0, 0, False
    try:
        return make(&f, p)
    finally:
        PyMem_Free(f.nodes)
        PyMem_Free(f.plain)
        PyMem_Free(f.out)
