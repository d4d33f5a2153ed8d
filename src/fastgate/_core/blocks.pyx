"""Walks a request body once and gives its content blocks: blocks.pxd.

The body was read by `request` before, so it is JSON, UTF-8 and not deep. Nothing is decoded for a block that the memo
knows as clean: it costs two passes over its bytes. Thinking blocks, signatures, ciphers and references are passed over:
they are the provider's own, and nothing may change them.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport uint64_t
from libc.string cimport memset

from fastgate._core.block cimport (
    AREA_MESSAGES,
    AREA_OTHER,
    AREA_SYSTEM,
    AREA_TOOLS,
    KIND_ASSISTANT_TEXT,
    KIND_DOCUMENT,
    KIND_SYSTEM,
    KIND_TOOL_RESULT,
    KIND_TOOL_SCHEMA,
    KIND_TOOL_USE_INPUT,
    KIND_USER_TEXT,
    READ_ALL,
    READ_PUBLIC,
    READ_SEAM,
    READ_STRING,
    Block,
    plain_of,
    text_from,
)
from fastgate._core.memo cimport Memo, fg_mark
from fastgate._core.seam cimport goes_on, open_pem, seam_end, seam_start
from fastgate._core.span cimport (
    Cursor,
    Span,
    Text,
    byte_t,
    fg_unescape,
    next_member,
    open_object,
    read_key,
    read_text,
    same,
    skip_space,
    skip_value,
    span_of,
    text_is,
    text_of,
    to_next,
)

cdef enum:
    SEED_SHIFT = 12  # above kind, reading and role
    TYPE_ROOM = 256  # a type of 42 letters with each of them escaped; the longest known has 39

cdef str ROLE_USER = "user"
cdef str ROLE_ASSISTANT = "assistant"
cdef str ROLE_SYSTEM = "system"


cdef bint ends_with(Text text, const char* word, Py_ssize_t n) noexcept:
    """Whether the string, once unescaped, ends in `word`. No type of block is longer than the room here."""
    cdef byte_t plain[TYPE_ROOM]
    cdef Py_ssize_t size = text.n - text.shrink
    if size < n or (text.shrink and text.n > TYPE_ROOM):
        return False
    if text.shrink == 0:
        return same(text.p + size - n, n, word, n)
    fg_unescape(text.p, <size_t>text.n, plain)
    return same(plain + size - n, n, word, n)


@cython.final
@cython.no_gc  # nothing that it holds leads back to it
@cython.freelist(16)
cdef class Blocks:
    """The blocks of one body; see blocks.pxd."""

    def __init__(self):
        raise TypeError("Blocks are made by read_blocks")

    def __dealloc__(self):
        PyMem_Free(self.uses)

    def use_of(self, Block block not None):
        cdef Py_ssize_t i
        cdef Text wanted
        cdef Use* use
        if not text_of(block.use_id, &wanted):
            return None
        for i in range(self.use_n - 1, -1, -1):
            use = &self.uses[i]
            if same(use.id.p, use.id.n, <const char*>wanted.p, wanted.n):
                return text_from(use.name), <bytes>use.input.p[:use.input.n]
        return None

    def plain(self, Py_ssize_t start, Py_ssize_t end):
        cdef Text part
        if not 0 <= start <= end <= len(self.body):
            raise ValueError("no place of the body")
        part.p, part.n = self.start + start, end - start
        return plain_of(part)

    cdef int take(self, Span value, Place* place, int reading) except -1:
        """A block: nothing more is done with one that is known to be clean."""
        cdef fg_mark mark
        cdef Block block
        cdef bytes name = b""
        self.count += 1
        if reading == READ_STRING and self.seams:
            self.take_seam(value, place)
        if self.memo is not None:
            mark = self.mark_of(value, place, reading)
            if self.memo.is_clean(mark):
                return 0
            name = PyBytes_FromStringAndSize(<const char*>&mark, sizeof(fg_mark))
        block = Block.__new__(Block)
        block.body, block.mark, block.found = self.body, name, None if self.memo is None else self.memo.found(name)
        block.kind, block.role, block.reading = place.kind, self.role, reading
        block.area, block.first, block.second, block.third = place.area, place.first, place.second, place.third
        block.start, block.end = value.p - self.start, value.p + value.n - self.start
        if place.name.p != NULL:
            block.tool_name = span_of(place.name.p - 1, place.name.p + place.name.n + 1)
        if place.id.p != NULL:
            block.use_id = span_of(place.id.p - 1, place.id.p + place.id.n + 1)
        self.noted.append(block)
        return 0

    cdef fg_mark mark_of(self, Span value, Place* place, int reading) noexcept:
        cdef uint64_t seed = self.seed_of(place.kind, reading)
        cdef fg_mark mark = self.memo.mark(value.p, <size_t>value.n, seed)
        cdef uint64_t lane = mark.lane[1]
        if place.name.p != NULL:
            # What a rule says may depend on whose input it is.
            mark = self.memo.mark(place.name.p, <size_t>place.name.n, mark.lane[0])
            mark.lane[1] ^= lane
        return mark

    cdef uint64_t seed_of(self, int kind, int reading) noexcept:
        """What a mark means beside its bytes: whose block it is and what is read of it."""
        cdef uint64_t seed = self.seed ^ <uint64_t>(kind << 8 | reading << 4)
        if self.role is ROLE_USER:
            return seed | 1
        if self.role is ROLE_ASSISTANT:
            return seed | 2
        return seed if self.role is ROLE_SYSTEM else seed | 3

    cdef int take_seam(self, Span value, Place* place) except -1:
        """Where this string may go on with what the last one of its kind ended with: a block of the two edges."""
        cdef Span left = self.left
        cdef bint same_kind = self.left_kind == place.kind and self.left_role is self.role
        cdef const byte_t* start
        cdef const byte_t* left_end
        cdef const byte_t* pem
        cdef const byte_t* right_start = value.p + 1
        cdef const byte_t* end = value.p + value.n - 1
        cdef fg_mark mark, left_mark
        cdef Block block
        cdef bytes name
        self.left, self.left_kind, self.left_role = value, place.kind, self.role
        # Members stand in any order, and are taken in one: what stands behind a string does not go on in it.
        if left.p == NULL or left.p > value.p or not same_kind or not goes_on(left, value):
            return 0
        left_end = left.p + left.n - 1
        start = seam_start(left.p + 1, left_end)
        pem = open_pem(left.p + 1, left_end)
        if pem != NULL:
            start = min(start, pem)
        end = seam_end(right_start, end, pem != NULL)
        left_mark = self.memo.mark(start, <size_t>(left_end - start), self.seed_of(place.kind, READ_SEAM))
        mark = self.memo.mark(right_start, <size_t>(end - right_start), left_mark.lane[0])
        mark.lane[1] ^= left_mark.lane[1]
        if self.memo.is_clean(mark):
            return 0
        name = PyBytes_FromStringAndSize(<const char*>&mark, sizeof(fg_mark))
        block = Block.__new__(Block)
        block.body, block.mark, block.found = self.body, name, self.memo.found(name)
        block.kind, block.role, block.reading = place.kind, self.role, READ_SEAM
        block.area, block.first, block.second, block.third = place.area, place.first, place.second, place.third
        block.start, block.end = start - self.start, end - self.start
        block.left_end, block.right_start = left_end - self.start, right_start - self.start
        self.noted.append(block)
        return 0

    cdef int add_use(self, Members* members) except -1:
        cdef Use* grown
        if self.use_n == self.use_room:
            self.use_room = max(2 * self.use_room, 16)
            grown = <Use*>PyMem_Realloc(self.uses, <size_t>self.use_room * sizeof(Use))
            if grown == NULL:
                raise MemoryError()
            self.uses = grown
        self.uses[self.use_n].id, self.uses[self.use_n].name = members.id, members.name
        self.uses[self.use_n].input = members.input
        self.use_n += 1
        return 0

    cdef const byte_t* walk_top(self, const byte_t* p) except NULL:
        cdef Cursor cursor
        cdef Place place
        cdef Text key
        cdef const byte_t* value
        cdef Py_ssize_t member = -1
        cursor.p, cursor.end, cursor.first = p + 1, self.end, True
        while to_next(&cursor, c'}') == 1:
            member += 1
            memset(&key, 0, sizeof(Text))
            value = read_key(cursor.p, self.end, &key)
            memset(&place, 0, sizeof(Place))
            place.first = place.second = place.third = -1
            self.role = ROLE_SYSTEM
            if text_is(key, b"messages", 8) and value[0] == c'[':
                cursor.p = self.walk_messages(value)
                continue
            if text_is(key, b"system", 6):
                place.kind, place.area = KIND_SYSTEM, AREA_SYSTEM
                cursor.p = self.walk_content(value, &place, False)
                continue
            if text_is(key, b"tools", 5) and value[0] == c'[':
                cursor.p = walk_tools(self, value, &place)
                continue
            cursor.p = skip_value(value, self.end)
            if value[0] == c'{' and not (
                text_is(key, b"metadata", 8) or text_is(key, b"thinking", 8) or text_is(key, b"tool_choice", 11)
            ):
                # What no list here could keep up with: Claude Code sends the working tree's state in one of these.
                place.kind, place.area, place.first = KIND_SYSTEM, AREA_OTHER, member
                self.take(span_of(value, cursor.p), &place, READ_PUBLIC)
        return cursor.p

    cdef const byte_t* walk_messages(self, const byte_t* p) except NULL:
        cdef Cursor cursor
        cdef Py_ssize_t index = 0
        cursor.p, cursor.end, cursor.first = p + 1, self.end, True
        while to_next(&cursor, c']') == 1:
            cursor.p = self.walk_message(cursor.p, index) if cursor.p[0] == c'{' else skip_value(cursor.p, self.end)
            index += 1
        return cursor.p

    cdef const byte_t* walk_message(self, const byte_t* p, Py_ssize_t index) except NULL:
        cdef Cursor cursor
        cdef Place place
        cdef Text key, text
        cdef const byte_t* value
        cdef const byte_t* content = NULL
        cdef str role = ""
        memset(&place, 0, sizeof(Place))
        memset(&key, 0, sizeof(Text))
        memset(&text, 0, sizeof(Text))
        place.area, place.first, place.second, place.third = AREA_MESSAGES, index, -1, -1
        place.kind = KIND_USER_TEXT
        cursor.p, cursor.end, cursor.first = p + 1, self.end, True
        while to_next(&cursor, c'}') == 1:
            value = read_key(cursor.p, self.end, &key)
            if text_is(key, b"role", 4) and value[0] == c'"':
                cursor.p = read_text(value, self.end, &text)
                if text_is(text, b"user", 4):
                    role = ROLE_USER
                elif text_is(text, b"assistant", 9):
                    role, place.kind = ROLE_ASSISTANT, KIND_ASSISTANT_TEXT
                elif text_is(text, b"system", 6):
                    role, place.kind = ROLE_SYSTEM, KIND_SYSTEM
                else:
                    role = text_from(text)
            elif text_is(key, b"content", 7):
                if role:
                    self.role = role
                    cursor.p = self.walk_content(value, &place, False)
                else:
                    content = value
                    cursor.p = skip_value(value, self.end)
            else:
                cursor.p = skip_value(value, self.end)
        if content != NULL:
            self.role = role
            self.walk_content(content, &place, False)
        return cursor.p

    cdef const byte_t* walk_content(self, const byte_t* p, Place* place, bint inner) except NULL:
        """A string or a list of blocks; `inner`: the list is within a block."""
        cdef Cursor cursor
        cdef Place at = place[0]
        cdef const byte_t* after
        cdef Py_ssize_t index = 0
        if p[0] != c'[':
            after = skip_value(p, self.end)
            if p[0] == c'"' or p[0] == c'{':
                self.take(span_of(p, after), place, READ_STRING if p[0] == c'"' else READ_PUBLIC)
            return after
        cursor.p, cursor.end, cursor.first = p + 1, self.end, True
        while to_next(&cursor, c']') == 1:
            if inner:
                at.third = index
            elif at.area == AREA_MESSAGES:
                at.second = index
            else:
                at.first = index
            index += 1
            if cursor.p[0] == c'{':
                cursor.p = self.walk_block(cursor.p, &at, inner)
            else:
                after = skip_value(cursor.p, self.end)
                if cursor.p[0] == c'"':
                    self.take(span_of(cursor.p, after), &at, READ_STRING)
                cursor.p = after
        return cursor.p

    cdef const byte_t* walk_block(self, const byte_t* p, Place* place, bint inner) except NULL:
        cdef Cursor cursor
        cdef Members members
        cdef Text key
        cdef Span value
        memset(&members, 0, sizeof(Members))
        memset(&key, 0, sizeof(Text))
        cursor.p, cursor.end, cursor.first = p + 1, self.end, True
        while next_member(&cursor, &key, &value) == 1:
            if text_is(key, b"type", 4):
                text_of(value, &members.type)
            elif text_is(key, b"text", 4):
                members.text = value
            elif text_is(key, b"content", 7):
                members.content = value
            elif text_is(key, b"input", 5):
                members.input = value
            elif text_is(key, b"source", 6):
                members.source = value
            elif text_is(key, b"name", 4):
                text_of(value, &members.name)
            elif text_is(key, b"id", 2):
                text_of(value, &members.id)
            elif text_is(key, b"tool_use_id", 11):
                text_of(value, &members.use_id)
            elif text_is(key, b"citations", 9):
                members.citations = value
            elif text_is(key, b"title", 5):
                members.title = value
            elif text_is(key, b"context", 7):
                members.context = value
        self.take_block(span_of(p, cursor.p), &members, place, inner)
        return cursor.p

    cdef int take_block(self, Span whole, Members* members, Place* place, bint inner) except -1:
        cdef Place at = place[0]
        cdef Text type = members.type
        if text_is(type, b"text", 4):
            if members.text.p != NULL and members.text.p[0] == c'"':
                self.take(members.text, place, READ_STRING)
            if members.citations.p != NULL and members.citations.p[0] == c'[':
                self.take(members.citations, place, READ_PUBLIC)
        elif text_is(type, b"thinking", 8) or text_is(type, b"redacted_thinking", 17):
            return 0
        elif members.input.p != NULL and ends_with(type, b"tool_use", 8):
            self.add_use(members)
            at.kind, at.name = KIND_TOOL_USE_INPUT, members.name
            self.take(members.input, &at, READ_ALL)
        elif ends_with(type, b"tool_result", 11):
            at.kind, at.id = KIND_TOOL_RESULT, members.use_id
            if members.content.p != NULL:
                self.walk_content(members.content.p, &at, True)
        elif text_is(type, b"image", 5) or text_is(type, b"document", 8):
            self.take_document(whole, members, &at)
        elif text_is(type, b"search_result", 13):
            at.kind = KIND_DOCUMENT
            self.take(whole, &at, READ_PUBLIC)
        else:
            self.take(whole, &at, READ_PUBLIC)
        return 0

    cdef int take_document(self, Span whole, Members* members, Place* place) except -1:
        """An image or a document: its text where it has one, else it is media."""
        cdef Cursor cursor
        cdef Text key, type
        cdef Span value, data, content
        memset(&type, 0, sizeof(Text))
        data.p = content.p = NULL
        if place.kind != KIND_TOOL_RESULT:
            place.kind = KIND_DOCUMENT
        if open_object(members.source, &cursor):
            while next_member(&cursor, &key, &value) == 1:
                if text_is(key, b"type", 4):
                    text_of(value, &type)
                elif text_is(key, b"data", 4):
                    data = value
                elif text_is(key, b"content", 7):
                    content = value
        if members.title.p != NULL and members.title.p[0] == c'"':
            self.take(members.title, place, READ_STRING)
        if members.context.p != NULL and members.context.p[0] == c'"':
            self.take(members.context, place, READ_STRING)
        if text_is(type, b"text", 4) and data.p != NULL and data.p[0] == c'"':
            self.take(data, place, READ_STRING)
            return 0
        if content.p != NULL:
            self.walk_content(content.p, place, True)
        if content.p == NULL or text_is(type, b"base64", 6):
            # Data that has a content beside it is data all the same.
            self.media += 1
            if text_is(type, b"url", 3):
                self.take(members.source, place, READ_PUBLIC)
        return 0


cdef const byte_t* walk_tools(Blocks blocks, const byte_t* p, Place* place) except NULL:
    """The definitions of tools, one block each."""
    cdef Cursor cursor, members
    cdef Span tool, value
    cdef Text key
    cdef Py_ssize_t index = 0
    place.kind, place.area = KIND_TOOL_SCHEMA, AREA_TOOLS
    cursor.p, cursor.end, cursor.first = p + 1, blocks.end, True
    while to_next(&cursor, c']') == 1:
        tool = span_of(cursor.p, skip_value(cursor.p, blocks.end))
        place.first, place.name.p = index, NULL
        if open_object(tool, &members):
            while next_member(&members, &key, &value) == 1:
                if text_is(key, b"name", 4):
                    text_of(value, &place.name)
                    break
        blocks.take(tool, place, READ_PUBLIC)
        cursor.p = tool.p + tool.n
        index += 1
    return cursor.p


cdef Blocks blocks_of(bytes body, Memo memo):
    cdef Blocks blocks = Blocks.__new__(Blocks)
    blocks.body, blocks.memo, blocks.noted = body, memo, []
    blocks.start = <const byte_t*>PyBytes_AS_STRING(body)
    blocks.end = blocks.start + len(body)
    return blocks


cdef const byte_t* object_of(Blocks blocks) except NULL:
    cdef const byte_t* p = skip_space(blocks.start, blocks.end)
    if p >= blocks.end or p[0] != c'{':
        raise ValueError("not a JSON object")
    return p


cpdef Blocks read_blocks(bytes body, Memo memo, uint64_t seed=0, bint seams=False):
    """The blocks of a request body that read_request has accepted."""
    cdef Blocks blocks = blocks_of(body, memo)
    if seams and memo is None:
        raise ValueError("which seams are known a memo tells")
    blocks.seed, blocks.seams = seed << SEED_SHIFT, seams
    blocks.walk_top(object_of(blocks))
    return blocks


cpdef Blocks read_answer(bytes body):
    """The blocks of a whole answer, which nobody has read before."""
    cdef Blocks blocks = blocks_of(body, None)
    cdef const byte_t* p = object_of(blocks)
    cdef const byte_t* after = skip_value(p, blocks.end)
    if after == NULL or skip_space(after, blocks.end) != blocks.end:
        raise ValueError("not a JSON object")
    blocks.walk_message(p, 0)
    return blocks


def replace(bytes body not None, list edits not None):
    """The body with each (start, end, bytes) put in place."""
    cdef Py_ssize_t at = 0
    cdef list pieces = []
    for start, end, put in edits:
        pieces.append(body[at:start])
        pieces.append(put)
        at = end
    pieces.append(body[at:])
    return b"".join(pieces)
