"""What one response said, read off the bytes as they pass. Use and fields: meter.pxd.

Owns the meaning of the Messages API's events and bodies (docs: "Streaming messages"). Must not know sockets, prices or
what the client gets. Unknown events, keys and values are passed over: providers add them at any time.

What an event is: its `event:` line where that names one the meter knows; else `type` in its data, as clients judge it.
An event whose data is not JSON says nothing; where it ought to have held usage, the usage is `malformed`.
"""

cimport cython
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastgate._core.span cimport (
    Cursor,
    Span,
    Text,
    fg_unescape,
    next_item,
    next_member,
    open_array,
    open_object,
    same,
    skip_space,
    text_is,
    text_of,
)
from fastgate._core.sse cimport EVENT_LIMIT, Event, Scanner
from fastgate._core.usage cimport Usage

# Bytes of output that are at least one token each pair: the densest text measured was 1.77 to 2.5 bytes a token, so a
# floor under unknown usage must not divide by more.
BYTES_PER_TOKEN_FLOOR = 2
cdef int64_t FLOOR_BYTES = BYTES_PER_TOKEN_FLOOR

# What an answer holds beside its text: id, model, stop reason and usage take 400 bytes.
cdef int64_t ENVELOPE_BYTES = 512

# The longest model id, message id, stop reason or error type taken over: thrice the longest seen (a profile's ARN).
cdef enum:
    WORD_LIMIT = 512

cdef enum:
    EVENT_OTHER = 0
    EVENT_START = 1
    EVENT_BLOCK_START = 2
    EVENT_BLOCK_DELTA = 3
    EVENT_BLOCK_STOP = 4
    EVENT_DELTA = 5
    EVENT_STOP = 6
    EVENT_PING = 7
    EVENT_ERROR = 8
    EVENT_MESSAGE = 9  # not an event: a whole message as a body


cdef int kind_of(const unsigned char* p, Py_ssize_t n) noexcept:
    """The event of that name."""
    if n == 19:
        if same(p, n, b"content_block_delta", 19):
            return EVENT_BLOCK_DELTA
        return EVENT_BLOCK_START if same(p, n, b"content_block_start", 19) else EVENT_OTHER
    if n == 18:
        return EVENT_BLOCK_STOP if same(p, n, b"content_block_stop", 18) else EVENT_OTHER
    if n == 13:
        if same(p, n, b"message_delta", 13):
            return EVENT_DELTA
        return EVENT_START if same(p, n, b"message_start", 13) else EVENT_OTHER
    if n == 12:
        return EVENT_STOP if same(p, n, b"message_stop", 12) else EVENT_OTHER
    if n == 5:
        return EVENT_ERROR if same(p, n, b"error", 5) else EVENT_OTHER
    if n == 4:
        return EVENT_PING if same(p, n, b"ping", 4) else EVENT_OTHER
    return EVENT_OTHER


cdef int kind_in(Span value) noexcept:
    """The event that `type` names."""
    cdef Text word
    cdef unsigned char plain[32]
    if not text_of(value, &word) or word.n - word.shrink > 32:
        return EVENT_OTHER
    if text_is(word, b"message", 7):
        return EVENT_MESSAGE
    if word.shrink == 0:
        return kind_of(word.p, word.n)
    memset(plain, 0, sizeof(plain))
    return kind_of(plain, <Py_ssize_t>fg_unescape(word.p, <size_t>word.n, plain))


cdef bint read_members(Span data, Members* members) noexcept:
    """Whether `data` is one JSON object and nothing else; if not, no member is set. Of twice the last counts."""
    if collect_members(data, members):
        return True
    memset(members, 0, sizeof(Members))
    return False


cdef bint collect_members(Span data, Members* members) noexcept:
    cdef const unsigned char* end = data.p + data.n
    cdef Cursor cursor
    cdef Text key
    cdef Span value
    cdef int found
    memset(members, 0, sizeof(Members))
    value.p = skip_space(data.p, end)
    value.n = end - value.p
    if not open_object(value, &cursor):
        return False
    while True:
        found = next_member(&cursor, &key, &value)
        if found != 1:
            return found == 0 and skip_space(cursor.p, end) == end
        if text_is(key, b"type", 4):
            members.type = value
        elif text_is(key, b"delta", 5):
            members.delta = value
        elif text_is(key, b"usage", 5):
            take_once(members, &members.usage, value)
        elif text_is(key, b"message", 7):
            members.message = value
        elif text_is(key, b"content_block", 13):
            members.block = value
        elif text_is(key, b"error", 5):
            members.error = value
        elif text_is(key, b"model", 5):
            take_once(members, &members.model, value)
        elif text_is(key, b"id", 2):
            take_once(members, &members.id, value)
        elif text_is(key, b"stop_reason", 11):
            take_once(members, &members.stop_reason, value)
        elif text_is(key, b"content", 7):
            take_once(members, &members.content, value)


cdef inline void take_once(Members* members, Span* place, Span value) noexcept:
    members.twice = members.twice or place.p != NULL
    place[0] = value


cdef str word_of(Span value, str other):
    """The string, or `other` for what is no string, empty or longer than WORD_LIMIT."""
    cdef Text text
    cdef unsigned char plain[WORD_LIMIT]
    cdef Py_ssize_t n
    if not text_of(value, &text) or text.n == 0 or text.n - text.shrink > WORD_LIMIT:
        return other
    n = <Py_ssize_t>fg_unescape(text.p, <size_t>text.n, plain)
    return PyUnicode_DecodeUTF8(<const char*>plain, n, "replace")


cpdef Meter new_meter(bint stream):
    """`Meter.of` for the relay, which asks for one with every attempt."""
    return Meter.new(stream)


@cython.final
@cython.freelist(64)
cdef class Meter:
    """What one response said; fields in meter.pxd."""

    def __init__(self):
        raise TypeError("a Meter is made by Meter.of")

    @staticmethod
    cdef Meter new(bint stream):
        cdef Meter meter = Meter.__new__(Meter)
        meter.usage = Usage.new()
        meter.stream = stream
        meter.model = meter.message_id = meter.stop_reason = meter.error_type = ""
        if stream:
            meter.scanner = Scanner.new(EVENT_LIMIT)
        return meter

    @staticmethod
    def of(*, bint stream, Py_ssize_t limit=EVENT_LIMIT):
        """A meter for a stream of events, or for a body that `read_message` gets whole. `limit`: bytes of one event."""
        cdef Meter meter = Meter.new(stream)
        if stream:
            meter.scanner.limit = limit
        return meter

    @property
    def at_boundary(self):
        """The stream stands between two events."""
        return self.between_events()

    @property
    def oversize(self):
        """An event past the limit was dropped: what it said is not known."""
        return self.scanner is not None and self.scanner.oversize

    def feed_bytes(self, bytes chunk):
        """`feed`, from Python: the number of events completed."""
        return self.feed(<const char*>chunk, len(chunk))

    def floor(self):
        """What can be charged: the usage if its end was seen, else at least what the bytes written must have cost."""
        return self.floor_c()

    def finish(self):
        """The stream has ended. An event that the end cuts off is not one (clients do not get it either): dropped."""
        self.ended = True

    def cut_off(self, Py_ssize_t size):
        """A whole answer of which only so many bytes came. What it said of its usage stood at its end, if anywhere: the
        floor is of what the model must have written, without what else an answer holds."""
        self.output_bytes = max(<int64_t>0, size - ENVELOPE_BYTES)

    cpdef object read_message(self, bytes body):
        """A whole answer: the message, or an error, as JSON."""
        cdef Span data
        cdef Members members
        cdef int kind
        data.p, data.n = body, len(body)
        data.p = skip_space(data.p, data.p + data.n)
        data.n = len(body) - (data.p - <const unsigned char*>body)
        if not read_members(data, &members):
            self.usage.malformed = True
            return
        kind = kind_in(members.type)
        if kind == EVENT_MESSAGE or members.usage.p != NULL:
            self.started = self.stopped = True
            if members.twice:
                self.take_start(data, True)  # one after the other, as they stand there
            else:
                self.take_whole(&members)
        elif kind == EVENT_ERROR or members.error.p != NULL:
            self.take_error(members.error)

    cdef bint between_events(self) noexcept:
        return self.scanner is not None and self.scanner.between_events()

    cdef int feed(self, const char* p, Py_ssize_t n) except -1:
        cdef Event event
        cdef int completed = 0
        if self.ended or self.scanner is None:
            raise RuntimeError("this meter reads no stream, or its stream has ended")
        self.scanner.feed(<const unsigned char*>p, n)
        while self.scanner.next(&event):
            completed += 1
            self.take_event(&event)
        return completed

    cdef int take_event(self, Event* event) except -1:
        cdef int kind = kind_of(event.name, event.name_n)
        cdef Members members
        cdef bint readable
        self.events += 1
        if kind == EVENT_PING or kind == EVENT_BLOCK_STOP or kind == EVENT_STOP:
            # Nothing to read in these.
            self.stopped = self.stopped or kind == EVENT_STOP
            self.content_started = self.content_started or kind == EVENT_BLOCK_STOP
            return 0
        readable = read_members(event.data, &members)
        if kind == EVENT_OTHER and readable:
            kind = kind_in(members.type)
        if kind == EVENT_BLOCK_DELTA or kind == EVENT_BLOCK_START:
            self.content_started = True
            self.take_block(members.delta if kind == EVENT_BLOCK_DELTA else members.block, False)
        elif kind == EVENT_BLOCK_STOP:
            self.content_started = True
        elif kind == EVENT_STOP:
            self.stopped = True
        elif kind == EVENT_START:
            self.started = True
            self.usage.malformed = self.usage.malformed or not readable
            self.take_start(members.message, False)
        elif kind == EVENT_DELTA:
            self.usage.malformed = self.usage.malformed or not readable
            self.take_delta(members.delta, members.usage)
        elif kind == EVENT_ERROR:
            self.take_error(members.error)
        return 0

    cdef int take_start(self, Span message, bint whole) except -1:
        """The message that a message_start begins; or a whole one, whose usage is final."""
        cdef Cursor cursor
        cdef Text key
        cdef Span value
        if not open_object(message, &cursor):
            return 0
        while next_member(&cursor, &key, &value) == 1:
            if text_is(key, b"usage", 5):
                self.usage.merge(value, whole)
            elif text_is(key, b"model", 5):
                self.model = word_of(value, self.model)
            elif text_is(key, b"id", 2):
                self.message_id = word_of(value, self.message_id)
            elif text_is(key, b"stop_reason", 11):
                self.stop_reason = word_of(value, self.stop_reason)
            elif whole and text_is(key, b"content", 7):
                self.take_content(value)
        return 0

    cdef int take_whole(self, Members* members) except -1:
        """`take_start` of a whole message whose members were found, each once."""
        self.usage.merge(members.usage, True)
        self.model = word_of(members.model, self.model)
        self.message_id = word_of(members.id, self.message_id)
        self.stop_reason = word_of(members.stop_reason, self.stop_reason)
        self.take_content(members.content)
        return 0

    cdef int take_delta(self, Span delta, Span usage) except -1:
        """A message_delta: how the message ends, and its usage so far in all."""
        cdef Cursor cursor
        cdef Text key
        cdef Span value
        self.usage.merge(usage, True)
        if open_object(delta, &cursor):
            while next_member(&cursor, &key, &value) == 1:
                if text_is(key, b"stop_reason", 11):
                    self.stop_reason = word_of(value, self.stop_reason)
        return 0

    cdef int take_error(self, Span error) except -1:
        cdef Cursor cursor
        cdef Text key
        cdef Span value
        self.errored = True
        if open_object(error, &cursor):
            while next_member(&cursor, &key, &value) == 1:
                if text_is(key, b"type", 4):
                    self.error_type = word_of(value, self.error_type)
        return 0

    cdef void take_block(self, Span block, bint whole) noexcept:
        """Counts what the model wrote in a content block or a delta of one.

        Text, thinking, tool input and compaction summaries are output. Signatures are not text, quotations in citations
        are not billed, and the results of server tools were not written by the model. In a `whole` message a tool's
        input is an object, counted as it was sent.
        """
        cdef Cursor cursor
        cdef Text key, text
        cdef Span value
        if not open_object(block, &cursor):
            return
        while next_member(&cursor, &key, &value) == 1:
            if whole and text_is(key, b"input", 5):
                self.output_bytes += value.n
            if key.n - key.shrink > 12 or value.p[0] != c'"':
                continue
            if (
                text_is(key, b"text", 4)
                or text_is(key, b"partial_json", 12)
                or text_is(key, b"thinking", 8)
                or text_is(key, b"content", 7)
            ) and text_of(value, &text):
                self.output_bytes += text.n - text.shrink

    cdef void take_content(self, Span content) noexcept:
        """The blocks of a whole message."""
        cdef Cursor blocks
        cdef Span block
        if open_array(content, &blocks):
            while next_item(&blocks, &block) == 1:
                self.take_block(block, True)

    cdef Usage floor_c(self):
        cdef Usage usage = self.usage.copy()
        if not usage.final:
            usage.raise_output((self.output_bytes + FLOOR_BYTES - 1) // FLOOR_BYTES)
        return usage
