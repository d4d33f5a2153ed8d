"""AWS event-stream frames to server-sent events and back, over any split of the bytes.

Contract (Smithy, "Amazon Event Stream Specification"): a frame is total length, header length, CRC-32 of these two,
headers, payload, CRC-32 of all before it; integers are big-endian. Amazon Bedrock answers InvokeModelWithResponseStream
with frames of type `chunk` whose payload is `{"bytes":"BASE64"}`: the data of one event of the Messages API. It ends a
failed stream with a frame of message type `exception`, here an `error` event in Anthropic's shape.

What is not a frame, or not such a payload, is never guessed at: `broken` is set and nothing after it is read. Frames of
other types are passed over. Knows no sockets, no usage and no routes.
"""

cimport cython
from libc.stdint cimport uint32_t
from libc.string cimport memmove, memset, strlen

from fastgate._core.octets cimport (
    blank_line_ends,
    crc32,
    free_room,
    put,
    put_decoded,
    put_encoded,
    put_text,
    put_word,
    reserve,
    taken,
)
from fastgate._core.span cimport (
    Cursor,
    Span,
    Text,
    byte_t,
    next_member,
    open_object,
    same,
    skip_space,
    span_of,
    text_is,
    text_of,
)
from fastgate._core.sse cimport EVENT_LIMIT, Event, Scanner

__all__ = ["HEADER_BYTES_MAX", "PAYLOAD_BYTES_MAX", "FrameReader", "FrameWriter"]

HEADER_BYTES_MAX = 128 * 1024
PAYLOAD_BYTES_MAX = 24 * 1024 * 1024
"""The specification's own limits on one frame."""

cdef enum:
    PRELUDE = 12        # two lengths and their checksum
    LEAST = 16          # a frame without headers and payload
    TYPE_STRING = 7
    KEPT = 65536        # a buffer larger than this is given back once it is empty

cdef uint32_t HEADERS_MAX = HEADER_BYTES_MAX
cdef uint32_t TOTAL_MAX = LEAST + HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX

cdef inline uint32_t be32(const byte_t* p) noexcept nogil:
    return <uint32_t>p[0] << 24 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 8 | <uint32_t>p[3]


cdef inline void put_be32(byte_t* p, uint32_t value) noexcept nogil:
    p[0], p[1], p[2], p[3] = value >> 24, (value >> 16) & 0xFF, (value >> 8) & 0xFF, value & 0xFF


# ---- Frames to events -----------------------------------------------------------------------------------------------

cdef inline Span cut(const byte_t* p, Py_ssize_t n) noexcept nogil:
    return span_of(p, p + n)


cdef Py_ssize_t value_size(int kind) noexcept nogil:
    """Bytes of a header's value by its type; -1 for one that states its own length, -2 for an unknown type."""
    if kind == 0 or kind == 1:
        return 0
    if kind == 2:
        return 1
    if kind == 3:
        return 2
    if kind == 4:
        return 4
    if kind == 5 or kind == 8:
        return 8
    if kind == 9:
        return 16
    return -1 if kind == 6 or kind == TYPE_STRING else -2


cdef bint read_labels(const byte_t* p, const byte_t* end, Labels* labels) noexcept nogil:
    """Whether the headers are well formed; then those that mean something."""
    cdef const byte_t* name
    cdef Py_ssize_t name_n, n
    cdef int kind
    memset(labels, 0, sizeof(Labels))
    while p < end:
        name_n = p[0]
        name = p + 1
        if name_n == 0 or end - name < name_n + 1:
            return False
        p = name + name_n
        kind = p[0]
        p += 1
        n = value_size(kind)
        if n == -1 and end - p >= 2:
            n = <Py_ssize_t>p[0] << 8 | p[1]
            p += 2
        if n < 0 or end - p < n:
            return False
        if kind == TYPE_STRING:
            if same(name, name_n, b":message-type", 13):
                labels.message_type = cut(p, n)
            elif same(name, name_n, b":event-type", 11):
                labels.event_type = cut(p, n)
            elif same(name, name_n, b":exception-type", 15):
                labels.exception_type = cut(p, n)
            elif same(name, name_n, b":error-code", 11):
                labels.error_code = cut(p, n)
            elif same(name, name_n, b":error-message", 14):
                labels.error_message = cut(p, n)
        p += n
    return True


cdef Span member_of(Span json, const char* name, Py_ssize_t name_n) noexcept:
    """The value of the last member of that name; nothing where `json` is not one object, or has none."""
    cdef const byte_t* end = json.p + json.n
    cdef Cursor cursor
    cdef Text key
    cdef Span value, found
    cdef int more
    memset(&found, 0, sizeof(Span))
    if json.n == 0:
        return found
    json.p = skip_space(json.p, end)
    json.n = end - json.p
    if not open_object(json, &cursor):
        return found
    while True:
        more = next_member(&cursor, &key, &value)
        if more != 1:
            break
        if text_is(key, name, name_n):
            found = value
    if more != 0 or skip_space(cursor.p, end) != end:
        memset(&found, 0, sizeof(Span))
    return found


cdef bint is_word(Text text) noexcept:
    """Fit to be an event's name as it stands."""
    cdef Py_ssize_t i
    if text.shrink or not 0 < text.n <= 64:
        return False
    for i in range(text.n):
        if not (c"a" <= text.p[i] <= c"z" or text.p[i] == c"_"):
            return False
    return True


# Bedrock's exceptions of a stream, and Anthropic's type of error for each. The other way the first row counts.
cdef enum:
    KINDS = 6
cdef const char *EXCEPTIONS[KINDS]
cdef const char *ERRORS[KINDS]
EXCEPTIONS[0], ERRORS[0] = b"throttlingException", b"rate_limit_error"
EXCEPTIONS[1], ERRORS[1] = b"serviceUnavailableException", b"overloaded_error"
EXCEPTIONS[2], ERRORS[2] = b"modelTimeoutException", b"timeout_error"
EXCEPTIONS[3], ERRORS[3] = b"validationException", b"invalid_request_error"
EXCEPTIONS[4], ERRORS[4] = b"internalServerException", b"api_error"
EXCEPTIONS[5], ERRORS[5] = b"modelStreamErrorException", b"api_error"

# Headers as they stand in a frame: length of the name, name, type, length of the value, value.
cdef bytes JSON_HEADER = b"\x0d:content-type\x07\x00\x10application/json"
cdef bytes CHUNK_HEADERS = b"\x0b:event-type\x07\x00\x05chunk" + JSON_HEADER + b"\x0d:message-type\x07\x00\x05event"
cdef bytes EXCEPTION_HEADERS = JSON_HEADER + b"\x0d:message-type\x07\x00\x09exception"


@cython.final
cdef class FrameReader:
    """Frames in, events out; fields in frames.pxd."""

    def __init__(self):
        raise TypeError("a FrameReader is made by FrameReader.of")

    def __dealloc__(self):
        free_room(&self.pending)
        free_room(&self.plain)
        free_room(&self.out)

    @staticmethod
    cdef FrameReader new():
        return FrameReader.__new__(FrameReader)

    @staticmethod
    def of():
        """A reader for use from Python."""
        return FrameReader.new()

    def feed(self, bytes chunk not None):
        """`translate`, from Python."""
        return self.translate(<const byte_t*>chunk, len(chunk))

    @property
    def at_boundary(self):
        """Nothing of a frame has come since the last one ended."""
        return self.between_frames()

    cdef bint between_frames(self) noexcept:
        return self.pending.n == 0

    cdef bytes translate(self, const byte_t* p, Py_ssize_t n):
        cdef const byte_t* rest
        if self.broken or n == 0:
            return b""
        if self.pending.n:
            put(&self.pending, p, n)
            rest = self.read_frames(self.pending.p, self.pending.p + self.pending.n)
            n = self.pending.p + self.pending.n - rest
            if n and rest != self.pending.p:
                memmove(self.pending.p, rest, <size_t>n)
            self.pending.n = n
            if n == 0 and self.pending.room > KEPT:
                free_room(&self.pending)
        else:
            rest = self.read_frames(p, p + n)
            put(&self.pending, rest, p + n - rest)
        return taken(&self.out)

    cdef const byte_t* read_frames(self, const byte_t* p, const byte_t* end) except NULL:
        """Past every whole frame; where one is broken, past everything."""
        cdef uint32_t total, headers
        while end - p >= PRELUDE:
            total, headers = be32(p), be32(p + 4)
            self.broken = (
                be32(p + 8) != crc32(0, p, 8) or headers > HEADERS_MAX
                or total > TOTAL_MAX or total < LEAST + headers
            )
            if self.broken:
                return end
            if end - p < <Py_ssize_t>total:
                break
            if be32(p + total - 4) != crc32(0, p, <Py_ssize_t>total - 4) or not self.take_frame(p, total):
                self.broken = True
                return end
            self.frames += 1
            p += total
        return p

    cdef bint take_frame(self, const byte_t* p, Py_ssize_t total) except -1:
        """Write the event of one whole frame; False where it cannot be read."""
        cdef const byte_t* body = p + PRELUDE + be32(p + 4)
        cdef Span payload = span_of(body, p + total - 4)
        cdef Labels labels
        if not read_labels(p + PRELUDE, body, &labels):
            return False
        if same(labels.message_type.p, labels.message_type.n, b"event", 5):
            if same(labels.event_type.p, labels.event_type.n, b"chunk", 5):
                return self.take_event(payload)
        elif same(labels.message_type.p, labels.message_type.n, b"exception", 9):
            self.take_exception(labels.exception_type, payload, span_of(NULL, NULL))
        elif same(labels.message_type.p, labels.message_type.n, b"error", 5):
            self.take_exception(labels.error_code, span_of(NULL, NULL), labels.error_message)
        return True

    cdef bint take_event(self, Span payload) except -1:
        cdef Text text, kind
        cdef Span data, value = member_of(payload, b"bytes", 5)
        if not text_of(value, &text) or text.shrink:
            return False
        self.plain.n = 0
        if not put_decoded(&self.plain, text.p, text.n):
            return False
        data = cut(self.plain.p, self.plain.n)
        value = member_of(data, b"type", 4)
        if text_of(value, &kind) and is_word(kind):
            put_word(&self.out, b"event: ")
            put(&self.out, kind.p, kind.n)
            put_word(&self.out, b"\n")
        put_word(&self.out, b"data: ")
        put(&self.out, data.p, data.n)
        put_word(&self.out, b"\n\n")
        if self.plain.room > KEPT:
            free_room(&self.plain)
        return True

    cdef int take_exception(self, Span code, Span payload, Span message) except -1:
        """Write an `error` event. The message is the payload's, or the header's, or the exception's name."""
        cdef const char* kind = error_type(code)
        cdef Text text
        cdef Span value = member_of(payload, b"message", 7)
        cdef Py_ssize_t start
        put_word(&self.out, b'event: error\ndata: {"type":"error","error":{"type":"')
        put_word(&self.out, kind)
        put_word(&self.out, b'","message":"')
        start = self.out.n
        if text_of(value, &text):
            put(&self.out, text.p, text.n)
            blank_line_ends(self.out.p + start, self.out.p + self.out.n)
        else:
            put_text(&self.out, message if message.n else code)
        put_word(&self.out, b'"}}\n\n')
        return 0


cdef const char* error_type(Span code) noexcept:
    """Anthropic's type of error for one of Bedrock's exceptions."""
    cdef int i
    for i in range(KINDS):
        if same(code.p, code.n, EXCEPTIONS[i], <Py_ssize_t>strlen(EXCEPTIONS[i])):
            return ERRORS[i]
    return b"api_error"


# ---- Events to frames -----------------------------------------------------------------------------------------------

@cython.final
cdef class FrameWriter:
    """Events in, frames out; what is no event (comments) is dropped. Fields in frames.pxd."""

    def __init__(self):
        raise TypeError("a FrameWriter is made by FrameWriter.of")

    def __dealloc__(self):
        free_room(&self.out)

    @staticmethod
    cdef FrameWriter new():
        cdef FrameWriter writer = FrameWriter.__new__(FrameWriter)
        writer.scanner = Scanner.new(EVENT_LIMIT)
        return writer

    @staticmethod
    def of():
        """A writer for use from Python."""
        return FrameWriter.new()

    def feed(self, bytes chunk not None):
        """`translate`, from Python."""
        return self.translate(<const byte_t*>chunk, len(chunk))

    cdef bytes translate(self, const byte_t* p, Py_ssize_t n):
        cdef Event event
        self.scanner.feed(p, n)
        while self.scanner.next(&event):
            if same(event.name, event.name_n, b"error", 5):
                self.put_exception(event.data)
            else:
                self.put_chunk(event.data)
        return taken(&self.out)

    cdef int put_chunk(self, Span data) except -1:
        cdef Py_ssize_t start = self.begin(CHUNK_HEADERS)
        put_word(&self.out, b'{"bytes":"')
        put_encoded(&self.out, data.p, data.n)
        put_word(&self.out, b'"}')
        return self.close(start)

    cdef int put_exception(self, Span data) except -1:
        """The exception that stands for an `error` event; its message goes over as it was written."""
        cdef Span error = member_of(data, b"error", 5)
        cdef Text kind, message
        cdef int i, chosen = KINDS - 2  # internalServerException
        cdef Py_ssize_t start, name_n
        cdef byte_t length
        if text_of(member_of(error, b"type", 4), &kind):
            for i in range(KINDS):
                if text_is(kind, ERRORS[i], <Py_ssize_t>strlen(ERRORS[i])):
                    chosen = i
                    break
        name_n = <Py_ssize_t>strlen(EXCEPTIONS[chosen])
        start = self.begin(EXCEPTION_HEADERS)
        put(&self.out, b"\x0f:exception-type\x07\x00", 18)
        length = <byte_t>name_n
        put(&self.out, &length, 1)
        put(&self.out, EXCEPTIONS[chosen], name_n)
        put_be32(self.out.p + start + 4, <uint32_t>(self.out.n - start - PRELUDE))
        put_word(&self.out, b'{"message":"')
        if text_of(member_of(error, b"message", 7), &message):
            put(&self.out, message.p, message.n)
        put_word(&self.out, b'"}')
        return self.close(start)

    cdef Py_ssize_t begin(self, bytes headers) except -1:
        """Begin a frame with these headers; where it starts."""
        cdef Py_ssize_t start = self.out.n
        reserve(&self.out, PRELUDE)
        self.out.n += PRELUDE
        put(&self.out, <const char*>headers, len(headers))
        put_be32(self.out.p + start + 4, <uint32_t>len(headers))
        return start

    cdef int close(self, Py_ssize_t start) except -1:
        """Fill in the lengths and checksums of the frame that began there."""
        cdef Py_ssize_t total = self.out.n - start + 4
        cdef byte_t* p
        reserve(&self.out, 4)
        p = self.out.p + start
        put_be32(p, <uint32_t>total)
        put_be32(p + 8, crc32(0, p, 8))
        put_be32(p + total - 4, crc32(0, p, total - 4))
        self.out.n += 4
        return 0
