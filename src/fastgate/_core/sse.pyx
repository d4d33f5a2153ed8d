"""Boundaries of server-sent events, over any split of the bytes. The contract is in sse.pxd.

Knows nothing of what events mean. Imposes one limit: an event (or a line) beyond `limit` bytes is dropped and
`oversize` is set; scanning goes on with the next event. What is dropped depends on the bytes alone, never on how they
were split.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memcmp, memcpy

from fastgate._core.span cimport byte_t, fg_line_end

# Memory kept from one event to the next; what a rare huge event needed beyond it is given back.
cdef Py_ssize_t STORE_KEPT = 256 * 1024

# The byte order mark, and the count that says the start of the stream is past.
cdef const byte_t* MARK = b"\xef\xbb\xbf"
cdef enum:
    MARK_SIZE = 3
    MARK_PAST = 4


cdef int append(Store* store, const byte_t* p, Py_ssize_t n) except -1:
    cdef Py_ssize_t room
    cdef byte_t* grown
    if n == 0:
        return 0
    if store.n + n > store.room:
        room = max(store.n + n, 2 * store.room, 512)
        grown = <byte_t*>PyMem_Realloc(store.p, <size_t>room)
        if grown == NULL:
            raise MemoryError()
        store.p, store.room = grown, room
    memcpy(store.p + store.n, p, <size_t>n)
    store.n += n
    return 0


cdef inline void trim(Store* store) noexcept:
    """Give back what a huge event needed, once nothing is held in it."""
    if store.n == 0 and store.room > STORE_KEPT:
        PyMem_Free(store.p)
        store.p, store.room = NULL, 0


@cython.final
@cython.freelist(64)
cdef class Scanner:
    """See sse.pxd. `oversize`: an event past the limit was dropped."""

    def __init__(self):
        raise TypeError("a Scanner is made by Scanner.of or by a Meter")

    def __dealloc__(self):
        PyMem_Free(self.line.p)
        PyMem_Free(self.data.p)

    @staticmethod
    cdef Scanner new(Py_ssize_t limit):
        cdef Scanner scanner = Scanner.__new__(Scanner)
        scanner.limit = limit
        return scanner

    @staticmethod
    def of(Py_ssize_t limit=EVENT_LIMIT):
        """A scanner for use from Python (tests, tools), where `feed_bytes` makes objects of the events."""
        return Scanner.new(limit)

    def feed_bytes(self, bytes chunk):
        """The events that this chunk completes, as (name, data)."""
        cdef Event event
        cdef list events = []
        self.feed(<const byte_t*>chunk, len(chunk))
        while self.next(&event):
            events.append((event.name[:event.name_n], event.data.p[:event.data.n] if event.data.n else b""))
        return events

    @property
    def at_boundary(self):
        """Nothing of an event has come since the last one ended."""
        return self.between_events()

    cdef bint between_events(self) noexcept:
        if self.in_event or self.line_over or self.line.n:
            return False
        return self.mark_n == 0 or self.mark_n >= MARK_SIZE

    cdef void feed(self, const byte_t* p, Py_ssize_t n) noexcept:
        self.at, self.end = p, p + n

    cdef int next(self, Event* event) except -1:
        cdef const byte_t* start
        cdef const byte_t* stop
        cdef Py_ssize_t n
        trim(&self.line)
        if not self.has_data:
            self.data.n = 0
            trim(&self.data)
        while self.at < self.end:
            if self.after_return:
                self.after_return = False
                if self.at[0] == c'\n':
                    self.at += 1
                    continue
            if self.mark_n < MARK_SIZE and self.pass_mark():
                continue
            start = self.at
            stop = fg_line_end(start, self.end)
            if stop == self.end:
                self.at = stop
                self.keep_line(start, stop)
                break
            self.at = stop + 1
            self.after_return = stop[0] == c'\r'
            n = stop - start
            if self.line.n or self.line_over:
                self.keep_line(start, stop)
                n = self.line.n
                self.line.n = 0
                if self.line_over:
                    self.line_over, self.in_event = False, True
                else:
                    self.take_field(self.line.p, n, False)
            elif n == 0:
                if self.dispatch(event):
                    return 1
            else:
                self.take_field(start, n, True)
        if self.has_data and self.view.p != NULL:
            append(&self.data, self.view.p, self.view.n)
            self.view.p = NULL
        return 0

    cdef bint pass_mark(self) except -1:
        """At the start of the stream: True when a byte of a byte order mark was passed over."""
        cdef int matched = self.mark_n
        if self.at[0] == MARK[matched]:
            self.mark_n += 1
            self.at += 1
            return True
        self.mark_n = MARK_PAST
        append(&self.line, MARK, matched)
        return False

    cdef int keep_line(self, const byte_t* p, const byte_t* end) except -1:
        """Adds to the line whose end has not come, up to the limit."""
        if self.line_over:
            return 0
        if self.line.n + (end - p) > self.limit:
            self.line_over = self.dropped = self.oversize = True
            self.line.n = 0
            return 0
        return append(&self.line, p, end - p)

    cdef int take_field(self, const byte_t* p, Py_ssize_t n, bint in_chunk) except -1:
        """One line that is not blank, without its end."""
        cdef Py_ssize_t skipped
        if n > self.limit:
            self.dropped = self.oversize = self.in_event = True
            return 0
        if p[0] == c':':
            return 0
        self.in_event = True
        if self.dropped:
            return 0
        if n >= 4 and memcmp(p, b"data", 4) == 0 and (n == 4 or p[4] == c':'):
            skipped = min(n, 6 if n > 5 and p[5] == c' ' else 5)
            return self.take_data(p + skipped, n - skipped, in_chunk)
        if n >= 5 and memcmp(p, b"event", 5) == 0 and (n == 5 or p[5] == c':'):
            skipped = min(n, 7 if n > 6 and p[6] == c' ' else 6)
            self.name_n = min(n - skipped, <Py_ssize_t>NAME_ROOM)
            memcpy(self.name, p + skipped, <size_t>self.name_n)
        return 0

    cdef int take_data(self, const byte_t* p, Py_ssize_t n, bint in_chunk) except -1:
        cdef byte_t feed = c'\n'
        cdef Py_ssize_t held = self.view.n if self.view.p != NULL else self.data.n
        if not self.has_data:
            self.has_data = True
            if in_chunk:
                self.view.p, self.view.n = p, n
                return 0
            return append(&self.data, p, n)
        if held + 1 + n > self.limit:
            self.dropped = self.oversize = True
            self.view.p = NULL
            self.data.n = 0
            return 0
        if self.view.p != NULL:
            append(&self.data, self.view.p, self.view.n)
            self.view.p = NULL
        append(&self.data, &feed, 1)
        return append(&self.data, p, n)

    cdef bint dispatch(self, Event* event) noexcept:
        """A blank line: True when it completes an event."""
        cdef bint complete = self.has_data and not self.dropped
        if complete:
            event.name, event.name_n = self.name, self.name_n
            if self.view.p != NULL:
                event.data = self.view
            else:
                event.data.p, event.data.n = self.data.p, self.data.n
        else:
            self.data.n = 0
        self.view.p = NULL
        self.name_n = 0
        self.has_data = self.in_event = self.dropped = False
        return complete
