"""What the parts of a Messages request are to the gateway: the vocabulary of `request`, as data and small decisions.

A container has a place (what it is), the member being read of it has a slot (what its value will be). Whatever is not
named here is PLACE_OTHER or SLOT_NONE and is only checked to be JSON. Everything is inlined; there is no unit.
"""

from libc.string cimport memcmp

from fastgate._core.span cimport Text, byte_t, fg_unescape, same

cdef enum Place:
    PLACE_OTHER
    PLACE_BODY
    PLACE_TOP
    PLACE_METADATA
    PLACE_THINKING
    PLACE_CONTEXT  # context_management and all within
    PLACE_TOOLS
    PLACE_TOOL
    PLACE_SERVERS
    PLACE_MESSAGES
    PLACE_MESSAGE
    PLACE_CONTENT
    PLACE_BLOCK
    PLACE_WITHIN  # anywhere else under a message, but not in what a tool was given

cdef enum Slot:
    SLOT_NONE
    SLOT_MODEL
    SLOT_STREAM
    SLOT_MAX_TOKENS
    SLOT_SYSTEM
    SLOT_METADATA
    SLOT_USER_ID
    SLOT_THINKING
    SLOT_BUDGET
    SLOT_SPEED
    SLOT_VERSION
    SLOT_TOOLS
    SLOT_SERVERS
    SLOT_CONTEXT
    SLOT_MESSAGES
    SLOT_ROLE
    SLOT_CONTENT
    SLOT_TYPE
    SLOT_NAME
    SLOT_INPUT
    SLOT_DEFINITION
    SLOT_CACHE_CONTROL
    SLOT_MODELS


# One level of open containers.
cdef struct Level:
    bint is_object
    int place
    int slot  # of the member being read
    Py_ssize_t names  # mark in Parse.names


cdef inline int top_slot(const byte_t* p, Py_ssize_t n) noexcept:
    if same(p, n, b"model", 5):
        return SLOT_MODEL
    if same(p, n, b"stream", 6):
        return SLOT_STREAM
    if same(p, n, b"max_tokens", 10):
        return SLOT_MAX_TOKENS
    if same(p, n, b"system", 6):
        return SLOT_SYSTEM
    if same(p, n, b"messages", 8):
        return SLOT_MESSAGES
    if same(p, n, b"tools", 5):
        return SLOT_TOOLS
    if same(p, n, b"metadata", 8):
        return SLOT_METADATA
    if same(p, n, b"thinking", 8):
        return SLOT_THINKING
    if same(p, n, b"speed", 5):
        return SLOT_SPEED
    if same(p, n, b"mcp_servers", 11):
        return SLOT_SERVERS
    if same(p, n, b"context_management", 18):
        return SLOT_CONTEXT
    if same(p, n, b"models", 6):
        return SLOT_MODELS
    return SLOT_VERSION if same(p, n, b"anthropic_version", 17) else SLOT_NONE


cdef inline int slot_of(int place, const byte_t* p, Py_ssize_t n) noexcept:
    """What the member of that name is to us."""
    if place == PLACE_TOP:
        return top_slot(p, n)
    if place == PLACE_METADATA:
        return SLOT_USER_ID if same(p, n, b"user_id", 7) else SLOT_NONE
    if place == PLACE_THINKING:
        return SLOT_BUDGET if same(p, n, b"budget_tokens", 13) else SLOT_NONE
    if same(p, n, b"type", 4):
        return SLOT_TYPE
    if place == PLACE_CONTEXT:
        return SLOT_NONE
    if place == PLACE_TOOL:
        return SLOT_NAME if same(p, n, b"name", 4) else SLOT_NONE
    if same(p, n, b"input", 5):
        return SLOT_INPUT
    if same(p, n, b"definition", 10):
        return SLOT_DEFINITION
    if place == PLACE_BLOCK:
        return SLOT_CACHE_CONTROL if same(p, n, b"cache_control", 13) else SLOT_NONE
    if place == PLACE_MESSAGE:
        if same(p, n, b"role", 4):
            return SLOT_ROLE
        if same(p, n, b"content", 7):
            return SLOT_CONTENT
    return SLOT_NONE


cdef inline int place_of(Level* level, bint is_object) noexcept:
    """What a container is that opens as a member or item of `level`."""
    cdef int place = level.place
    if place == PLACE_CONTEXT or (place == PLACE_TOP and level.slot == SLOT_CONTEXT):
        return PLACE_CONTEXT
    if place == PLACE_TOP:
        if is_object:
            if level.slot == SLOT_METADATA:
                return PLACE_METADATA
            return PLACE_THINKING if level.slot == SLOT_THINKING else PLACE_OTHER
        if level.slot == SLOT_MESSAGES:
            return PLACE_MESSAGES
        if level.slot == SLOT_TOOLS:
            return PLACE_TOOLS
        return PLACE_SERVERS if level.slot == SLOT_SERVERS else PLACE_OTHER
    if place == PLACE_BODY:
        return PLACE_TOP
    if place == PLACE_TOOLS:
        return PLACE_TOOL if is_object else PLACE_OTHER
    if place < PLACE_MESSAGES or level.slot == SLOT_INPUT:
        return PLACE_OTHER
    if level.slot == SLOT_DEFINITION:
        # A tool that is defined in the conversation (beta inline-tools).
        return PLACE_TOOL if is_object else PLACE_OTHER
    if place == PLACE_MESSAGES and is_object:
        return PLACE_MESSAGE
    if place == PLACE_MESSAGE and level.slot == SLOT_CONTENT and not is_object:
        return PLACE_CONTENT
    return PLACE_BLOCK if place == PLACE_CONTENT and is_object else PLACE_WITHIN


cdef inline bint starts(Text text, const char* word, Py_ssize_t n) noexcept:
    return text.n >= n and memcmp(text.p, word, <size_t>n) == 0


cdef inline bint is_compaction(Text kind) noexcept:
    """Whether an edit of that type has the provider write a summary. What is too odd to be read counts."""
    cdef unsigned char plain[64]
    if kind.shrink > 0:
        if kind.n - kind.shrink > 64:
            return True
        kind.n = <Py_ssize_t>fg_unescape(kind.p, <size_t>kind.n, plain)
        kind.p = plain
    return starts(kind, b"compact", 7)


cdef inline bint is_server_tool(Text kind) noexcept:
    """Whether a tool of that type is run by the provider. One not known counts: the bound on the cost must hold."""
    cdef unsigned char plain[64]
    if kind.shrink > 0:
        if kind.n - kind.shrink > 64:
            return True
        kind.n = <Py_ssize_t>fg_unescape(kind.p, <size_t>kind.n, plain)
        kind.p = plain
    return not (
        same(kind.p, kind.n, b"custom", 6)
        or starts(kind, b"bash_", 5)
        or starts(kind, b"text_editor_", 12)
        or starts(kind, b"computer_", 9)
        or starts(kind, b"memory_", 7)
        or starts(kind, b"browser_", 8)
    )
