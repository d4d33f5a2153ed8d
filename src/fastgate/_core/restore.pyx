"""Placeholders of an answer, back to secrets. Use and promises: restore.pxd.

Knows the shape of events and messages (docs: "Streaming messages"), nothing of calls or connections.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy, memset

from fastgate._core.octets cimport Room, free_room, put, put_text, put_word, reserve, taken
from fastgate._core.span cimport (
    Cursor,
    Span,
    Text,
    byte_t,
    count_in,
    fg_line_end,
    fg_unescape,
    next_item,
    next_member,
    open_array,
    open_object,
    skip_space,
    skip_value,
    span_of,
    text_is,
    text_of,
)
from fastgate._core.sse cimport EVENT_LIMIT

# What guards/placeholders.py makes; tests/unit/guards/test_placeholders.py holds the two together.
PREFIX = b"redacted_fg_"
SIZE = 32

cdef enum:
    PREFIX_SIZE = 12
    PLACEHOLDER_SIZE = 32
    INDEX_ROOM = 24

cdef const byte_t* PREFIX_BYTES = b"redacted_fg_"
cdef const byte_t* HEX = b"0123456789abcdef"
cdef tuple WORDS = ("other", "ping", "text", "json", "start", "stop")
cdef int64_t INDEX_MAX = 1_000_000_000  # content blocks of an answer; real ones have some hundreds


# ---- Reading --------------------------------------------------------------------------------------------------------

cdef const byte_t* event_end(const byte_t* p, const byte_t* end) noexcept:
    cdef const byte_t* line
    while p < end:
        line = fg_line_end(p, end)
        if line == end:
            return NULL
        if line[0] == c'\r':
            if line + 1 == end:
                return NULL  # a line feed that belongs to it may follow
            if line[1] == c'\n':
                if line == p:
                    return line + 2
                p = line + 2
                continue
        if line == p:
            return line + 1
        p = line + 1
    return NULL


cdef Span data_of(Span raw) noexcept:
    """The event's data where it is one line, as providers write it; else nothing."""
    cdef const byte_t* p = raw.p
    cdef const byte_t* end = raw.p + raw.n
    cdef const byte_t* line
    cdef Span data
    data.p, data.n = NULL, 0
    while p < end:
        line = fg_line_end(p, end)
        if line - p >= 5 and memcmp(p, b"data:", 5) == 0:
            if data.p != NULL:
                data.p, data.n = NULL, 0
                return data
            data = span_of(p + 5, line)
        p = line + 1
    return data


cdef void read_event(Heard* heard) noexcept:
    cdef Cursor cursor
    cdef Text key, type
    cdef Span data = data_of(heard.raw)
    cdef Span value, delta, block
    memset(&type, 0, sizeof(Text))
    memset(&key, 0, sizeof(Text))
    delta.p = block.p = heard.value.p = heard.index.p = NULL
    delta.n = block.n = heard.value.n = heard.index.n = 0
    heard.what = WHAT_OTHER
    if data.p == NULL:
        return
    value = span_of(skip_space(data.p, data.p + data.n), data.p + data.n)
    if not open_object(value, &cursor):
        return
    while next_member(&cursor, &key, &value) == 1:
        if text_is(key, b"type", 4):
            text_of(value, &type)
        elif text_is(key, b"index", 5):
            heard.index = value
        elif text_is(key, b"delta", 5):
            delta = value
        elif text_is(key, b"content_block", 13):
            block = value
    if type.p == NULL:
        return
    if text_is(type, b"content_block_delta", 19):
        read_delta(heard, delta)
    elif text_is(type, b"content_block_start", 19):
        heard.what, heard.value = WHAT_START, block
    elif text_is(type, b"content_block_stop", 18):
        heard.what = WHAT_STOP
    elif text_is(type, b"ping", 4):
        heard.what = WHAT_PING


cdef void read_delta(Heard* heard, Span delta) noexcept:
    cdef Cursor cursor
    cdef Text key, type
    cdef Span value, text, json
    memset(&type, 0, sizeof(Text))
    memset(&key, 0, sizeof(Text))
    text.p = json.p = NULL
    text.n = json.n = 0
    if not open_object(delta, &cursor):
        return
    while next_member(&cursor, &key, &value) == 1:
        if text_is(key, b"type", 4):
            text_of(value, &type)
        elif text_is(key, b"text", 4):
            text = value
        elif text_is(key, b"partial_json", 12):
            json = value
    if type.p == NULL:
        return
    if text.p != NULL and text.p[0] == c'"' and text_is(type, b"text_delta", 10):
        heard.what, heard.value = WHAT_TEXT, text
    elif json.p != NULL and json.p[0] == c'"' and text_is(type, b"input_json_delta", 16):
        heard.what, heard.value = WHAT_JSON, json


cdef inline int unescape_to(Span value, Room* out) except -1:
    """The text of a string value, put behind what is there."""
    cdef Text text
    if not text_of(value, &text):
        return 0
    reserve(out, text.n)
    out.n += <Py_ssize_t>fg_unescape(text.p, <size_t>text.n, out.p + out.n)
    return 0


cdef int put_string(Room* out, Span text) except -1:
    """The text as the inside of a JSON string; half a surrogate pair, whose other half is in another delta, as the
    escape that it was."""
    cdef const byte_t* p = text.p
    cdef const byte_t* end = text.p + text.n
    cdef const byte_t* half
    cdef int code
    while p < end:
        half = p
        while half < end and not (half[0] == 0xED and end - half >= 3 and half[1] >= 0xA0):
            half += 1
        put_text(out, span_of(p, half))
        if half == end:
            break
        code = 0xD000 | (half[1] & 0x3F) << 6 | (half[2] & 0x3F)
        put(out, b"\\u", 2)
        for shift in (12, 8, 4, 0):
            put(out, HEX + (code >> <int>shift & 15), 1)
        p = half + 3
    return 0


cdef inline Span span_in(bytes text) noexcept:
    cdef const byte_t* p = <const byte_t*>PyBytes_AS_STRING(text)
    return span_of(p, p + len(text))


# ---- The tap --------------------------------------------------------------------------------------------------------

@cython.final
cdef class Restorer:
    """See restore.pxd."""

    def __init__(self):
        raise TypeError("a Restorer is made by Restorer.of")

    def __dealloc__(self):
        free_room(&self.rest)
        free_room(&self.out)
        free_room(&self.held)
        free_room(&self.plain)

    @property
    def terms(self):
        return None

    @staticmethod
    def of(dict secrets not None):
        """For the placeholders of one request."""
        cdef Restorer restorer = Restorer.__new__(Restorer)
        restorer.secrets = secrets
        return restorer

    def feed(self, bytes chunk not None):
        """What of the stream can be passed on now."""
        cdef const byte_t* p = <const byte_t*>PyBytes_AS_STRING(chunk)
        cdef Py_ssize_t n = len(chunk)
        if self.rest.n:
            put(&self.rest, p, n)
            self.hear_all(self.rest.p, self.rest.p + self.rest.n)
        else:
            self.hear_all(p, p + n)
        return taken(&self.out)

    def finish(self):
        """What was kept when the stream ended."""
        self.flush_held()
        put(&self.out, self.rest.p, self.rest.n)
        self.rest.n = 0
        return taken(&self.out)

    def whole(self, bytes body not None):
        """The same for an answer that is one JSON message."""
        cdef const byte_t* start = <const byte_t*>PyBytes_AS_STRING(body)
        cdef const byte_t* end = start + len(body)
        cdef const byte_t* at = start
        cdef Span message = span_of(skip_space(start, end), end)
        cdef Span value, block
        cdef Cursor cursor, blocks
        cdef Text key
        if message.n == 0 or skip_value(message.p, end) == NULL or not open_object(message, &cursor):
            return body
        while next_member(&cursor, &key, &value) == 1:
            if text_is(key, b"content", 7) and open_array(value, &blocks):
                while next_item(&blocks, &block) == 1:
                    self.turn_back_values(block, &at)
        if at == start:
            return body
        put(&self.out, at, end - at)
        return taken(&self.out)

    cdef int hear_all(self, const byte_t* p, const byte_t* end) except -1:
        """Every complete event of the bytes; what is left waits."""
        cdef Heard heard
        cdef const byte_t* stop
        cdef Py_ssize_t left
        while True:
            stop = event_end(p, end)
            if stop == NULL:
                break
            heard.raw = span_of(p, stop)
            read_event(&heard)
            self.hear(&heard)
            p = stop
        left = end - p
        if left > EVENT_LIMIT:
            # No event at all: it goes through as it is.
            put(&self.out, p, left)
            p, left = end, 0
        if self.rest.n:
            # `p` lies in the rest itself.
            if left and p != self.rest.p:
                memcpy_down(self.rest.p, p, left)
            self.rest.n = left
        elif left:
            put(&self.rest, p, left)
        return 0

    cdef int hear(self, Heard* heard) except -1:
        cdef const byte_t* at = heard.raw.p
        if heard.what == WHAT_TEXT or heard.what == WHAT_JSON:
            return self.hear_delta(heard)
        if self.held.n and heard.what != WHAT_PING:
            self.flush_held()
        if heard.what == WHAT_START:
            self.turn_back_values(heard.value, &at)
        return put(&self.out, at, heard.raw.p + heard.raw.n - at)

    cdef int hear_delta(self, Heard* heard) except -1:
        cdef Py_ssize_t before = self.held.n, restored = self.restored, kept
        if before and not (heard.what == self.held_what and same_index(self, heard.index)):
            self.flush_held()
            before = 0
        unescape_to(heard.value, &self.held)
        self.plain.n = 0
        kept = self.turn_back(self.held.p, self.held.n, heard.what == WHAT_JSON, False, &self.plain)
        if not before and kept == 0 and restored == self.restored:
            self.held.n = 0
            return put(&self.out, heard.raw.p, heard.raw.n)
        if self.plain.n:
            put(&self.out, heard.raw.p, heard.value.p + 1 - heard.raw.p)
            put_string(&self.out, span_of(self.plain.p, self.plain.p + self.plain.n))
            put(&self.out, heard.value.p + heard.value.n - 1, heard.raw.p + heard.raw.n
                - (heard.value.p + heard.value.n - 1))
        if kept:
            memcpy_down(self.held.p, self.held.p + self.held.n - kept, kept)
            self.held_what = heard.what
            self.index_n = min(heard.index.n, <Py_ssize_t>INDEX_ROOM)
            if self.index_n:
                memcpy(self.index, heard.index.p, <size_t>self.index_n)
        self.held.n = kept
        return 0

    cdef int flush_held(self) except -1:
        """What was kept was no placeholder, or the block is over: it goes out in a delta of its own."""
        cdef bint is_json = self.held_what == WHAT_JSON
        if self.held.n == 0:
            return 0
        put_word(&self.out, b'event: content_block_delta\ndata: {"type":"content_block_delta","index":')
        put(&self.out, self.index, self.index_n)
        if is_json:
            put_word(&self.out, b',"delta":{"type":"input_json_delta","partial_json":"')
        else:
            put_word(&self.out, b',"delta":{"type":"text_delta","text":"')
        self.plain.n = 0
        self.turn_back(self.held.p, self.held.n, is_json, True, &self.plain)
        put_string(&self.out, span_of(self.plain.p, self.plain.p + self.plain.n))
        put_word(&self.out, b'"}}\n\n')
        self.held.n = 0
        return 0

    cdef Py_ssize_t turn_back(self, const byte_t* p, Py_ssize_t n, bint in_json, bint last, Room* out) except -1:
        """The text with its placeholders turned back, to `out`; the number of bytes at its end that may begin one.
        `in_json`: the text is JSON, so what is put in is escaped. `last`: nothing follows."""
        cdef const byte_t* end = p + n
        cdef const byte_t* from_ = p
        cdef Py_ssize_t seen
        cdef bytes secret
        while p < end:
            if p[0] != c'r':
                p += 1
                continue
            seen = placeholder_at(p, end)
            if seen == PLACEHOLDER_SIZE:
                secret = self.secrets.get(PyBytes_FromStringAndSize(<const char*>p, PLACEHOLDER_SIZE))
                if secret is not None:
                    put(out, from_, p - from_)
                    if in_json:
                        put_string(out, span_in(secret))
                    else:
                        put(out, PyBytes_AS_STRING(secret), len(secret))
                    self.restored += 1
                    p += PLACEHOLDER_SIZE
                    from_ = p
                    continue
            elif not last and seen and p + seen == end:
                put(out, from_, p - from_)
                return seen
            p += 1
        put(out, from_, end - from_)
        return 0

    cdef int turn_back_values(self, Span block, const byte_t** at) except -1:
        """Text and tool input of a whole content block, in place: `at` is up to where the bytes around it were put."""
        cdef Cursor cursor
        cdef Text key, type
        cdef Span value, text, given
        cdef Py_ssize_t before = self.restored
        memset(&type, 0, sizeof(Text))
        memset(&key, 0, sizeof(Text))
        text.p = given.p = NULL
        if not open_object(block, &cursor):
            return 0
        while next_member(&cursor, &key, &value) == 1:
            if text_is(key, b"type", 4):
                text_of(value, &type)
            elif text_is(key, b"text", 4):
                text = value
            elif text_is(key, b"input", 5):
                given = value
        if type.p == NULL:
            return 0
        value = text if text_is(type, b"text", 4) else given
        if value.p == NULL or (given.p != NULL and value.p == given.p and not ends_in_tool_use(type)):
            return 0
        self.plain.n = 0
        self.turn_back(value.p, value.n, True, True, &self.plain)
        if self.restored != before:
            put(&self.out, at[0], value.p - at[0])
            put(&self.out, self.plain.p, self.plain.n)
            at[0] = value.p + value.n
        return 0


cdef inline Py_ssize_t placeholder_at(const byte_t* p, const byte_t* end) noexcept:
    """Bytes from `p` on, up to PLACEHOLDER_SIZE, that are a placeholder or the beginning of one; 0 for neither."""
    cdef Py_ssize_t n = min(end - p, <Py_ssize_t>PLACEHOLDER_SIZE), i
    if memcmp(p, PREFIX_BYTES, <size_t>min(n, <Py_ssize_t>PREFIX_SIZE)) != 0:
        return 0
    for i in range(PREFIX_SIZE, n):
        if not (c'a' <= p[i] <= c'z' or c'2' <= p[i] <= c'7'):
            return 0
    return n


cdef inline bint ends_in_tool_use(Text type) noexcept:
    return type.n >= 8 and memcmp(type.p + type.n - 8, b"tool_use", 8) == 0


cdef inline bint same_index(Restorer restorer, Span index) noexcept:
    return index.n == restorer.index_n and (
        index.n == 0 or memcmp(index.p, restorer.index, <size_t>index.n) == 0
    )


cdef inline void memcpy_down(byte_t* to, const byte_t* p, Py_ssize_t n) noexcept:
    """Bytes to a lower place of the same room."""
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = p[i]


# ---- For the guards of answers, which work above the line -----------------------------------------------------------

def events(bytes chunk not None):
    """The complete events of some bytes, and the rest."""
    cdef const byte_t* p = <const byte_t*>PyBytes_AS_STRING(chunk)
    cdef const byte_t* end = p + len(chunk)
    cdef const byte_t* stop
    cdef Heard heard
    cdef Room text
    cdef list found = []
    memset(&text, 0, sizeof(Room))
    try:
        while True:
            stop = event_end(p, end)
            if stop == NULL:
                return found, <bytes>p[:end - p]
            heard.raw = span_of(p, stop)
            read_event(&heard)
            text.n = 0
            if heard.what == WHAT_TEXT or heard.what == WHAT_JSON:
                unescape_to(heard.value, &text)
            elif heard.value.p != NULL:
                put(&text, heard.value.p, heard.value.n)
            found.append((
                <bytes>p[:stop - p],
                WORDS[heard.what],
                count_in(heard.index, INDEX_MAX) if heard.index.p != NULL else -1,
                <bytes>text.p[:text.n] if text.n else b"",
            ))
            p = stop
    finally:
        free_room(&text)


def with_text(bytes event not None, bytes text not None):
    """The delta event with another text."""
    cdef Heard heard
    cdef Room out
    heard.raw = span_in(event)
    read_event(&heard)
    if heard.what != WHAT_TEXT and heard.what != WHAT_JSON:
        raise ValueError("not a delta with text")
    memset(&out, 0, sizeof(Room))
    try:
        put(&out, heard.raw.p, heard.value.p + 1 - heard.raw.p)
        put_string(&out, span_in(text))
        put(&out, heard.value.p + heard.value.n - 1, heard.raw.p + heard.raw.n - (heard.value.p + heard.value.n - 1))
        return taken(&out)
    finally:
        free_room(&out)
