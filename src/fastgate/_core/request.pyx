"""One validating pass over a request body: what the gateway decides on, and proof that everyone reads it alike.

What was judged must be what is sent, so a body is refused where JSON readers disagree: RFC 8259 to the letter, no byte
order mark, UTF-8 throughout, surrogates only in pairs, no name twice in an object (as unescaped), no number too large
for a double, nothing after the end, and limits on nesting and names. Fields that decide money have their documented
type or are refused by name. All else is passed over: Claude Code sends fields, roles and block types that no list here
could keep up with.

Not recursive; makes no object but the view and its strings. Keeps no reference to the body.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport isinf
from libc.stdint cimport UINT32_MAX, int64_t, uint32_t

from fastgate._core.names cimport (
    NAMES_FINE,
    NAMES_NO_MEMORY,
    Name,
    Names,
    add_name,
    close_names,
    free_names,
    open_names,
    start_names,
)
from fastgate._core.pieces cimport kind_of, take_print
from fastgate._core.shape cimport (
    PLACE_BLOCK,
    PLACE_BODY,
    PLACE_CONTEXT,
    PLACE_MESSAGE,
    PLACE_MESSAGES,
    PLACE_OTHER,
    PLACE_SERVERS,
    PLACE_TOOL,
    PLACE_TOOLS,
    SLOT_BUDGET,
    SLOT_CACHE_CONTROL,
    SLOT_CONTENT,
    SLOT_MAX_TOKENS,
    SLOT_MODEL,
    SLOT_MODELS,
    SLOT_NAME,
    SLOT_NONE,
    SLOT_ROLE,
    SLOT_SPEED,
    SLOT_STREAM,
    SLOT_SYSTEM,
    SLOT_TOOLS,
    SLOT_TYPE,
    SLOT_USER_ID,
    SLOT_VERSION,
    Level,
    is_compaction,
    is_server_tool,
    place_of,
    slot_of,
)
from fastgate._core.span cimport (
    FG_CONTROL,
    FG_ESCAPE,
    FG_SURROGATE,
    FG_UTF8,
    Span,
    Text,
    byte_t,
    count_in,
    fg_string_end,
    fg_text,
    fg_unescape,
    skip_number,
    skip_space,
    skip_word,
    span_of,
    text_is,
)

# Containers open at once. Claude Code's deepest (tool schemas) nest 14 deep; the upstream refuses before 64 as well.
cdef enum:
    DEPTH_LIMIT = 64
    DEPTH_ROOM = 65

# Names in all. A 32 MB body could hold five million one-letter names; real conversations hold some ten thousand.
cdef Py_ssize_t NAME_LIMIT = 1_000_000

# A number this short and without an exponent is finite as a double: the largest has 309 digits before the point.
cdef Py_ssize_t SURELY_FINITE = 308

cdef extern from "Python.h":
    double PyOS_string_to_double(const char* text, char** end, PyObject* on_overflow) except? -1.0

# As much of a name is shown to whoever sent it.
cdef enum:
    NAME_SHOWN = 64

# Largest number taken: 2^53, beyond which JSON readers disagree on integers (RFC 8259 section 6).
cdef int64_t COUNT_LIMIT = <int64_t>1 << 53

# Shorter bodies hold no prompt that a provider caches: the least are 1,024 tokens (Anthropic, prompt caching), of which
# none has fewer than four bytes on average. Their blocks are not noted.
cdef enum:
    PIECES_BYTES = 4096

cdef struct Parse:
    const byte_t* start
    const byte_t* end
    bint notes  # blocks are noted
    Piece block  # the one being read
    int depth
    Level levels[DEPTH_ROOM]
    # Of the message being read: who speaks, and whether something is said that is not a tool's result.
    bint by_user
    bint said
    Names names


class RequestError(ValueError):
    """A body that is refused; the message says what is wrong with it, for the person who sent it."""


@cython.final
@cython.freelist(64)
cdef class RequestView:
    """What a request says that the gateway decides on; fields in request.pyi."""

    def __init__(self):
        raise TypeError("a RequestView is made by read_request")

    def __dealloc__(self):
        PyMem_Free(self.pieces)


cdef int refuse(Parse* s, const byte_t* at, str what) except -1:
    raise RequestError(f"invalid JSON at byte {at - s.start}: {what}")


cdef int refuse_text(Parse* s, fg_text* text) except -1:
    if text.fault == FG_CONTROL:
        return refuse(s, text.at, "a control character in a string")
    if text.fault == FG_ESCAPE:
        return refuse(s, text.at, "an escape that does not exist")
    if text.fault == FG_SURROGATE:
        return refuse(s, text.at, "half of a surrogate pair")
    if text.fault == FG_UTF8:
        return refuse(s, text.at, "not UTF-8")
    return refuse(s, text.at, "a string that does not end")


cdef str text_from(Text text):
    """The string; its bytes were checked to be UTF-8."""
    cdef byte_t* plain
    cdef size_t n
    if text.shrink == 0:
        return PyUnicode_DecodeUTF8(<const char*>text.p, text.n, NULL)
    plain = <byte_t*>PyMem_Malloc(<size_t>(text.n - text.shrink))
    if plain == NULL:
        raise MemoryError()
    try:
        n = fg_unescape(text.p, <size_t>text.n, plain)
        return PyUnicode_DecodeUTF8(<const char*>plain, <Py_ssize_t>n, NULL)
    finally:
        PyMem_Free(plain)


cdef int refuse_names(Parse* s, int told) except -1:
    cdef Name* name = &s.names.twice
    if told == NAMES_NO_MEMORY:
        raise MemoryError()
    shown = PyUnicode_DecodeUTF8(<const char*>name.p, min(name.n, <Py_ssize_t>NAME_SHOWN), "replace")
    raise RequestError(f"invalid JSON: an object has the name {shown!r} twice")


# ---- Taking what was found ------------------------------------------------------------------------------------------

cdef int refuse_field(int slot) except -1:
    if slot == SLOT_MODEL:
        raise RequestError("model must be a string that is not empty")
    if slot == SLOT_STREAM:
        raise RequestError("stream must be true or false")
    if slot == SLOT_MAX_TOKENS:
        raise RequestError("max_tokens must be a whole number from 0 to 2^53")
    raise RequestError("thinking.budget_tokens must be a whole number from 0 to 2^53")


cdef inline bint has_type(int slot) noexcept:
    """Whether a value in that place is refused unless it is of the documented type."""
    return SLOT_MODEL <= slot <= SLOT_MAX_TOKENS or slot == SLOT_BUDGET


cdef int note(Parse* s, RequestView view) except -1:
    """A block is read to its end."""
    cdef Piece* grown
    if view.piece_n == view.piece_room:
        grown = <Piece*>PyMem_Realloc(view.pieces, <size_t>(4 * view.piece_room + 64) * sizeof(Piece))
        if grown == NULL:
            raise MemoryError()
        view.pieces, view.piece_room = grown, 4 * view.piece_room + 64
    take_print(&s.block, s.start)
    view.pieces[view.piece_n] = s.block
    view.piece_n += 1
    return 0


cdef void begin_block(Parse* s, RequestView view, const byte_t* p) noexcept:
    s.block.start, s.block.message = <uint32_t>(p - s.start), <uint32_t>(view.messages_count - 1)
    s.block.kind, s.block.marked, s.block.bare = KIND_OTHER, False, False


cdef void take_type(Parse* s, RequestView view, Level* level, Text text) noexcept:
    """The type of a tool, or of anything in a conversation."""
    if level.place == PLACE_CONTEXT:
        view.compacts = view.compacts or is_compaction(text)
        return
    if level.place == PLACE_TOOL:
        view.has_server_tools = view.has_server_tools or is_server_tool(text)
        return
    if text_is(text, b"image", 5):
        view.image_count += 1
    elif text_is(text, b"document", 8):
        view.document_count += 1
    if level.place == PLACE_BLOCK:
        s.block.kind = kind_of(text)
        s.said = s.said or s.block.kind != KIND_TOOL_RESULT


cdef int take_string(Parse* s, RequestView view, list tools, Level* level, Text text) except -1:
    if level.slot == SLOT_TYPE:
        take_type(s, view, level, text)
    elif level.slot == SLOT_ROLE:
        s.by_user = text_is(text, b"user", 4)
    elif level.slot == SLOT_CONTENT:
        s.said = True
        if s.notes:
            begin_block(s, view, text.p - 1)
            s.block.end, s.block.kind, s.block.bare = <uint32_t>(text.p + text.n + 1 - s.start), KIND_TEXT, True
            note(s, view)
    elif level.slot == SLOT_NAME:
        if s.levels[s.depth - 1].place == PLACE_TOOLS:
            tools.append(text_from(text))
    elif level.slot == SLOT_MODEL and text.n > 0:
        view.model = text_from(text)
        view.model_start = text.p - 1 - s.start
        view.model_end = text.p + text.n + 1 - s.start
    elif level.slot == SLOT_USER_ID:
        view.metadata_user_id = text_from(text)
    elif level.slot == SLOT_SPEED:
        view.speed = text_from(text)
    elif level.slot == SLOT_VERSION:
        view.anthropic_version = text_from(text)
    elif has_type(level.slot):
        return refuse_field(level.slot)
    return 0


cdef int take_plain(Parse* s, RequestView view, Level* level, Span value) except -1:
    """A number, true, false or null."""
    cdef int64_t count
    if level.slot == SLOT_STREAM and (value.p[0] == c't' or value.p[0] == c'f'):
        view.stream = value.p[0] == c't'
    elif level.slot == SLOT_MAX_TOKENS or (level.slot == SLOT_BUDGET and value.p[0] != c'n'):
        count = count_in(value, COUNT_LIMIT)
        if count < 0:
            return refuse_field(level.slot)
        if level.slot == SLOT_MAX_TOKENS:
            view.max_tokens = count
            view.max_tokens_start = value.p - s.start
            view.max_tokens_end = value.p + value.n - s.start
        else:
            view.thinking_budget = count
    elif level.slot != SLOT_BUDGET and has_type(level.slot):
        return refuse_field(level.slot)
    return 0


cdef inline void count_item(Parse* s, RequestView view, Level* level) noexcept:
    """A value begins as an item of an array that matters."""
    if level.place == PLACE_TOOLS:
        view.tool_count += 1
    elif level.place == PLACE_MESSAGES:
        view.messages_count += 1
        s.by_user = s.said = False
    elif level.place == PLACE_SERVERS:
        view.has_server_tools = True


# ---- The pass -------------------------------------------------------------------------------------------------------

cdef const byte_t* read_name(Parse* s, const byte_t* p) except NULL:
    """Past the name of a member and its colon, to its value."""
    cdef Level* level = &s.levels[s.depth]
    cdef const byte_t* close
    cdef fg_text learnt
    cdef Text text
    cdef Name* name
    cdef int told
    if p >= s.end or p[0] != c'"':
        refuse(s, p, "expected a name in quotes")
    close = fg_string_end(p + 1, s.end, True, &learnt)
    if close == NULL:
        refuse_text(s, &learnt)
    text.p, text.n, text.shrink = p + 1, close - (p + 1), <Py_ssize_t>learnt.shrink
    told = add_name(&s.names, level.names, text)
    if told != NAMES_FINE:
        refuse_names(s, told)
    if s.names.in_all > NAME_LIMIT:
        raise RequestError(f"the body has more than {NAME_LIMIT} names")
    name = &s.names.list[s.names.n - 1]
    level.slot = slot_of(level.place, name.p, name.n) if level.place != PLACE_OTHER else SLOT_NONE
    p = skip_space(close + 1, s.end)
    if p >= s.end or p[0] != c':':
        refuse(s, p, "expected a colon")
    return skip_space(p + 1, s.end)


cdef const byte_t* read_scalar(Parse* s, RequestView view, list tools, const byte_t* p) except NULL:
    """Past a string, a number, true, false or null."""
    cdef Level* level = &s.levels[s.depth]
    cdef const byte_t* after
    cdef fg_text learnt
    cdef Text text
    if p < s.end and p[0] == c'"':
        after = fg_string_end(p + 1, s.end, True, &learnt)
        if after == NULL:
            refuse_text(s, &learnt)
        if level.slot != SLOT_NONE:
            text.p, text.n, text.shrink = p + 1, after - (p + 1), <Py_ssize_t>learnt.shrink
            take_string(s, view, tools, level, text)
        return after + 1
    if p < s.end and p[0] == c't':
        after = skip_word(p, s.end, b"true", 4)
    elif p < s.end and p[0] == c'f':
        after = skip_word(p, s.end, b"false", 5)
    elif p < s.end and p[0] == c'n':
        after = skip_word(p, s.end, b"null", 4)
    else:
        after = skip_number(p, s.end)
        if after != NULL and perhaps_infinite(span_of(p, after)):
            check_range(s, p)
    if after == NULL:
        refuse(s, p, "expected a value")
    take_plain(s, view, level, span_of(p, after))
    return after


cdef inline bint perhaps_infinite(Span number) noexcept nogil:
    """Whether a number needs to be looked at: long, or with an exponent."""
    cdef Py_ssize_t i
    if number.n > SURELY_FINITE:
        return True
    for i in range(number.n):
        if number.p[i] | 0x20 == c'e':
            return True
    return False


cdef int check_range(Parse* s, const byte_t* p) except -1:
    """Refuse a number that some readers take for infinity and others for an error. The conversion stops in time: the
    body ends with a NUL byte, as every bytes object does."""
    cdef char* after
    if isinf(PyOS_string_to_double(<const char*>p, &after, NULL)):
        return refuse(s, p, "a number out of range")
    return 0


cdef int open_level(Parse* s, bint is_object) except -1:
    cdef Level* level = &s.levels[s.depth]
    if s.depth == DEPTH_LIMIT:
        raise RequestError(f"the body nests deeper than {DEPTH_LIMIT} levels")
    if has_type(level.slot):
        return refuse_field(level.slot)
    if level.slot == SLOT_CACHE_CONTROL:
        s.block.marked = True
    s.depth += 1
    s.levels[s.depth].is_object = is_object
    s.levels[s.depth].place = place_of(level, is_object) if level.place != PLACE_OTHER else PLACE_OTHER
    s.levels[s.depth].slot = SLOT_NONE
    s.levels[s.depth].names = open_names(&s.names)
    return 0


cdef int close_level(Parse* s, RequestView view) except -1:
    cdef Level* level = &s.levels[s.depth]
    cdef int told = close_names(&s.names, level.names)
    if told != NAMES_FINE:
        return refuse_names(s, told)
    if level.place == PLACE_MESSAGE and s.by_user and s.said:
        view.user_turns += 1
    s.depth -= 1
    return 0


cdef const byte_t* read_value(Parse* s, RequestView view, list tools, const byte_t* p) except NULL:
    """Past the outermost value. The levels that are open are kept in `s`, not on the C stack."""
    cdef Level* level
    while True:
        level = &s.levels[s.depth]
        if not level.is_object:
            count_item(s, view, level)
        if level.slot == SLOT_SYSTEM:
            view.system_start = p - s.start
        elif level.slot == SLOT_TOOLS:
            view.tools_start = p - s.start
        elif level.slot == SLOT_MODELS:
            view.names_models = True
        if p < s.end and (p[0] == c'{' or p[0] == c'['):
            open_level(s, p[0] == c'{')
            level = &s.levels[s.depth]
            if level.place == PLACE_BLOCK:
                begin_block(s, view, p)
            p = skip_space(p + 1, s.end)
            if p >= s.end or p[0] != (c'}' if level.is_object else c']'):
                if level.is_object:
                    p = read_name(s, p)
                continue
        else:
            p = read_scalar(s, view, tools, p)
            if level.slot == SLOT_SYSTEM:
                view.system_end = p - s.start
            p = skip_space(p, s.end)
        # After a value, or at the close of an empty container.
        while True:
            level = &s.levels[s.depth]
            if p >= s.end:
                refuse(s, p, "the body ends too early")
            if p[0] != (c'}' if level.is_object else c']'):
                break
            close_level(s, view)
            p += 1
            if level.place == PLACE_BLOCK and s.notes:
                s.block.end = <uint32_t>(p - s.start)
                note(s, view)
            if s.levels[s.depth].slot == SLOT_SYSTEM:
                view.system_end = p - s.start
            elif s.levels[s.depth].slot == SLOT_TOOLS:
                view.tools_end = p - s.start
            if s.depth == 0:
                return p
            p = skip_space(p, s.end)
        if p[0] != c',':
            refuse(s, p, "expected a comma or the end of a container")
        p = skip_space(p + 1, s.end)
        if level.is_object:
            p = read_name(s, p)


cdef int read_body(Parse* s, RequestView view) except -1:
    cdef list tools = []
    cdef const byte_t* p = skip_space(s.start, s.end)
    if p >= s.end or p[0] != c'{':
        raise RequestError("the body must be a JSON object")
    # Level 0 is that which holds the body.
    s.depth = 0
    s.levels[0].is_object, s.levels[0].place, s.levels[0].slot = False, PLACE_BODY, SLOT_NONE
    s.levels[0].names = open_names(&s.names)
    p = skip_space(read_value(s, view, tools, p), s.end)
    if p != s.end:
        return refuse(s, p, "bytes after the end of the object")
    view.tools = tuple(tools)
    return 0


def read_request(bytes body not None, *, bint model_required=True):
    """What the body says; RequestError for one that is refused. `model_required`: the dialects of Bedrock and Vertex
    name the model in the path."""
    cdef RequestView view = RequestView.__new__(RequestView)
    cdef Parse s
    s.start = body
    s.end = s.start + len(body)
    s.by_user = s.said = False
    s.notes = PIECES_BYTES <= len(body) <= UINT32_MAX
    view.tools_start = view.tools_end = -1
    view.model = view.metadata_user_id = view.speed = view.anthropic_version = ""
    view.model_start = view.model_end = view.system_start = view.system_end = -1
    view.max_tokens_start = view.max_tokens_end = -1
    view.text_bytes = len(body)
    start_names(&s.names, s.start, s.end)
    try:
        read_body(&s, view)
    finally:
        free_names(&s.names)
    if model_required and not view.model:
        refuse_field(SLOT_MODEL)
    return view
