"""A content block's text and the way back from it. What a segment is: block.pxd."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memchr, memcpy, memset

from fastgate._core.span cimport (
    Cursor,
    Text,
    byte_t,
    fg_unescape,
    read_key,
    read_text,
    skip_scalar,
    skip_value,
    text_is,
    text_of,
    to_next,
)

# A block's text is at most its JSON and this: a leaf gains less than its quotes and comma give.
cdef enum:
    TEXT_SLACK = 16

cdef tuple AREAS = ("system", "messages", "tools", "")


cdef str text_from(Text text):
    """The string itself."""
    cdef bytes plain
    if text.p == NULL:
        return ""
    if text.shrink == 0:
        return PyUnicode_DecodeUTF8(<const char*>text.p, text.n, "replace")
    plain = PyBytes_FromStringAndSize(NULL, text.n - text.shrink)
    fg_unescape(text.p, <size_t>text.n, <byte_t*>PyBytes_AS_STRING(plain))
    return plain.decode("utf-8", "replace")


cdef bytes plain_of(Text part):
    """The text of a piece of a raw string that ends where its characters do."""
    cdef bytes plain = PyBytes_FromStringAndSize(NULL, part.n)
    cdef size_t n = fg_unescape(part.p, <size_t>part.n, <byte_t*>PyBytes_AS_STRING(plain))
    return plain[:n]


cdef inline bint is_private(Text name) noexcept:
    """Members of a content block that are references, ciphers, signatures or settings: nobody's text."""
    return (
        text_is(name, b"signature", 9)
        or text_is(name, b"encrypted_content", 17)
        or text_is(name, b"encrypted_index", 15)
        or text_is(name, b"cache_control", 13)
        or text_is(name, b"tool_use_id", 11)
        or text_is(name, b"file_id", 7)
        or text_is(name, b"type", 4)
        or text_is(name, b"id", 2)
    )


cdef inline bint half(const byte_t* p, byte_t low, byte_t high) noexcept:
    """Whether an escape of six bytes stands for a surrogate whose third digit is one of these, in hexadecimal."""
    return p[0] == c'\\' and p[1] == c'u' and (p[2] | 0x20) == c'd' and low <= (p[3] | 0x20) <= high


cdef inline Py_ssize_t escape_size(const byte_t* p, const byte_t* end) noexcept:
    """Raw bytes of the character at `p`: an escape, a pair of surrogates, or a UTF-8 sequence, and none past `end`."""
    cdef Py_ssize_t n
    if p[0] != c'\\':
        n = 1 if p[0] < 0x80 else 2 if p[0] < 0xE0 else 3 if p[0] < 0xF0 else 4
    elif end - p < 6 or p[1] != c'u':
        n = 2
    elif end - p < 12 or not (half(p, c'8', c'9') or half(p, c'a', c'b')) or not half(p + 6, c'c', c'f'):
        n = 6  # answers may hold half a pair
    else:
        n = 12
    return min(n, end - p)


cdef Py_ssize_t raw_offset(const byte_t* p, const byte_t* end, Py_ssize_t offset, bint up) noexcept:
    """How far into the raw string the text's byte `offset` lies; within a character its start, or its end if `up`."""
    cdef const byte_t* start = p
    cdef byte_t plain[8]
    cdef Py_ssize_t n, size
    while offset > 0 and p < end:
        n = escape_size(p, end)
        size = <Py_ssize_t>fg_unescape(p, <size_t>n, plain)
        if size > offset:
            return p - start + (n if up else 0)
        offset -= size
        p += n
    return p - start


@cython.final
@cython.no_gc  # nothing that it holds leads back to it
@cython.freelist(16)
cdef class Block:
    """One content block; see blocks.pxd."""

    def __init__(self):
        raise TypeError("a Block is made by read_blocks")

    def __dealloc__(self):
        PyMem_Free(self.segments)

    @property
    def text(self):
        if self.plain is None:
            self.decode()
        return self.plain

    @property
    def tool(self):
        cdef Text name
        return text_from(name) if text_of(self.tool_name, &name) else ""

    @property
    def seam(self):
        if self.reading != READ_SEAM:
            return -1
        if self.plain is None:
            self.decode()
        return self.segments[1].at

    @property
    def path(self):
        cdef str path = AREAS[self.area]
        if self.area == AREA_OTHER:
            return f"body[{self.first}]"
        if self.area == AREA_MESSAGES:
            path = f"messages[{self.first}].content"
            if self.second >= 0:
                path = f"{path}[{self.second}]"
            return f"{path}.content[{self.third}]" if self.third >= 0 else path
        return f"{path}[{self.first}]" if self.first >= 0 else path

    def raw_places(self, Py_ssize_t start, Py_ssize_t end):
        cdef list places = []
        cdef const byte_t* base = <const byte_t*>PyBytes_AS_STRING(self.body)
        cdef const byte_t* raw
        cdef Segment* segment
        cdef Text part
        cdef Py_ssize_t i, size, low, high
        if self.plain is None:
            self.decode()
        for i in range(self.segment_n):
            segment = &self.segments[i]
            size = (self.segments[i + 1].at if i + 1 < self.segment_n else <Py_ssize_t>len(self.plain)) - segment.at
            if not segment.quoted:
                size = segment.n
            if segment.at >= end:
                break
            if segment.at + size <= start:
                continue
            raw = base + segment.raw
            if segment.quoted:
                low = raw_offset(raw, raw + segment.n, max(start - segment.at, 0), False)
                high = raw_offset(raw, raw + segment.n, end - segment.at, True)
            else:
                low, high = 0, segment.n
            if high > low:
                part.p, part.n = raw + low, high - low
                places.append((segment.raw + low, segment.raw + high, segment.quoted, plain_of(part)))
        return places

    cdef int decode(self) except -1:
        cdef const byte_t* base = <const byte_t*>PyBytes_AS_STRING(self.body)
        cdef const byte_t* end = base + self.end
        cdef bytes plain
        cdef byte_t* out
        cdef byte_t* begin
        cdef Text text
        memset(&text, 0, sizeof(Text))
        if self.reading == READ_STRING:
            read_text(base + self.start, end, &text)
            plain = PyBytes_FromStringAndSize(NULL, text.n - text.shrink)
            out = <byte_t*>PyBytes_AS_STRING(plain)
            if text.shrink == 0:
                memcpy(out, text.p, <size_t>text.n)
            else:
                fg_unescape(text.p, <size_t>text.n, out)
            self.plain = plain
            return self.add_segment(0, text.p - base, text.n, True)
        plain = PyBytes_FromStringAndSize(NULL, self.end - self.start + TEXT_SLACK)
        begin = out = <byte_t*>PyBytes_AS_STRING(plain)
        self.plain = plain
        if self.reading == READ_SEAM:
            text.p, text.n = base + self.start, self.left_end - self.start
            self.add_text(text, &out)
            text.p, text.n = base + self.right_start, self.end - self.right_start
            self.add_text(text, &out)
        else:
            self.read_leaves(base + self.start, end, &out)
        self.plain = plain[:out - begin]
        return 0

    cdef const byte_t* read_leaves(self, const byte_t* p, const byte_t* end, byte_t** out) except NULL:
        """One line a leaf of the value at `p`, to `out`; past the value. As deep as `request` allows, no deeper."""
        cdef const byte_t* base = <const byte_t*>PyBytes_AS_STRING(self.body)
        cdef byte_t* begin = <byte_t*>PyBytes_AS_STRING(self.plain)
        cdef Cursor cursor
        cdef Text key, text
        cdef byte_t opener = p[0]
        cdef const byte_t* after
        cdef byte_t* written
        memset(&key, 0, sizeof(Text))
        memset(&text, 0, sizeof(Text))
        if opener == c'{' or opener == c'[':
            cursor.p, cursor.end, cursor.first = p + 1, end, True
            while to_next(&cursor, c'}' if opener == c'{' else c']') == 1:
                if opener == c'{':
                    p = read_key(cursor.p, end, &key)
                    if self.reading == READ_PUBLIC and is_private(key):
                        cursor.p = skip_value(p, end)
                        continue
                    self.add_text(key, out)
                    out[0][0], out[0][1] = c':', c' '
                    out[0] += 2
                    cursor.p = p
                written = out[0]
                cursor.p = self.read_leaves(cursor.p, end, out)
                if opener == c'{' and p[0] == c'"' and memchr(written, c'\n', <size_t>(out[0] - 1 - written)) != NULL:
                    # Text of several lines begins on a line of its own, as it does where it comes from.
                    (written - 1)[0] = c'\n'
            return cursor.p
        if opener == c'"':
            p = read_text(p, end, &text)
            self.add_text(text, out)
        else:
            after = skip_scalar(p, end)
            if opener != c't' and opener != c'f' and opener != c'n':
                memcpy(out[0], p, <size_t>(after - p))
                self.add_segment(out[0] - begin, p - base, after - p, False)
                out[0] += after - p
            p = after
        out[0][0] = c'\n'
        out[0] += 1
        return p

    cdef int add_text(self, Text text, byte_t** out) except -1:
        cdef byte_t* begin = <byte_t*>PyBytes_AS_STRING(self.plain)
        self.add_segment(out[0] - begin, text.p - <const byte_t*>PyBytes_AS_STRING(self.body), text.n, True)
        out[0] += fg_unescape(text.p, <size_t>text.n, out[0])
        return 0

    cdef int add_segment(self, Py_ssize_t at, Py_ssize_t raw, Py_ssize_t n, bint quoted) except -1:
        cdef Segment* grown
        if self.segment_n == self.segment_room:
            self.segment_room = max(2 * self.segment_room, 1 if self.reading == READ_STRING else 16)
            grown = <Segment*>PyMem_Realloc(self.segments, <size_t>self.segment_room * sizeof(Segment))
            if grown == NULL:
                raise MemoryError()
            self.segments = grown
        self.segments[self.segment_n].at, self.segments[self.segment_n].raw = at, raw
        self.segments[self.segment_n].n, self.segments[self.segment_n].quoted = n, quoted
        self.segment_n += 1
        return 0
