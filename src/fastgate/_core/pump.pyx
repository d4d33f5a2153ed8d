# cython: language_level=3
"""One upstream connection: writes a request, de-frames the answer, meters it and pushes it to the client as it arrives.

Theory of operation. A `Pump` is an asyncio protocol over httptools' response parser (llhttp); a JSON answer whose head
is plain (`reply`) is read without it. One exchange at a time:

    IDLE --start--> HEAD --headers--> COLLECT --end--> IDLE          (a JSON answer, an error: kept whole)
                                 \\--> STREAM --end--> IDLE           (200 text/event-stream: passed on per read)

`start` returns a future that the relay awaits: it is set when the whole answer is there (COLLECT), when a stream has
come to its content (STREAM), or when the exchange failed; `failure` then names why (a fastgate.errors.Kind value), or
is None. Until its first content block a stream is metered and held, at most for `hold_ns`: an error before it can
still be another endpoint's chance. A Bedrock stream's frames are made events as they are read. The results stay
readable until the next `start`; only the pool hands a pump out, so the relay reads them before it gives the pump back.
After `attach`, every upstream read is one meter feed, one flight note and one push to the client; no task wakes up. Its
future is set when the stream is over. `told`, where it is given, is called in a future's place. `tick`, called ten
times a second, keeps deadlines, pings and pauses.

Knows nothing of routes, prices, keys or journals. Never raises into the event loop.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t

from fastgate._core.credit cimport WINDOW, Credit
from fastgate._core.flight cimport FlightTable
from fastgate._core.frames cimport FrameReader
from fastgate._core.loop cimport monotonic_ns, wake
from fastgate._core.meter cimport Meter
from fastgate._core.reply cimport AnswerHead, Reply, plain
from fastgate._core.sending cimport send_now

import httptools

__all__ = ["BODY_BYTES_MAX", "HEAD_BYTES_MAX", "HELD_BYTES_MAX", "INFORMATIONAL_MAX", "PING", "Pump"]

BODY_BYTES_MAX = 64 * 1024 * 1024
"""Largest answer that is kept whole. Anthropic's own request limit is 32 MB; answers are far smaller."""

INFORMATIONAL_MAX = 8
"""1xx heads accepted before the real one; more is an attack or a loop."""

HEAD_BYTES_MAX = 256 * 1024
"""Most bytes of a response head, 1xx heads included: far above any proxy's own limit; a head without end is a fault."""

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
"""What Anthropic sends itself; Claude Code gives a silent stream up after 300 s and shows a banner after 20 s."""

HELD_BYTES_MAX = 1024 * 1024
"""Most of a stream that is held before its content; a message_start and pings are a few kilobytes."""

RECHECK_MIN_S = 0.002
RECHECK_MAX_S = 0.1
"""A paused stream asks the kernel again after 2 ms, then ever later: quick readers lose and dead ones cost little."""

cdef Py_ssize_t BODY_MAX = BODY_BYTES_MAX, HELD_MAX = HELD_BYTES_MAX, HEAD_MAX = HEAD_BYTES_MAX

cdef enum State:
    IDLE, HEAD, COLLECT, STREAM, CLOSED

cdef enum Outcome:
    RUNNING, COMPLETE, FAILED


@cython.final
cdef class Pump(AnswerHead):
    """One keep-alive connection to one endpoint; see the module. Made by the pool, one per dialled connection."""

    def __cinit__(self, object loop):
        self.loop = loop
        self.state = IDLE
        self.fd = -1
        self.parser = httptools.HttpResponseParser(self)

    # -- the exchange, called by the relay --------------------------------------------------------------------------

    cpdef object start(self, bytes head, bytes body, Meter meter, FlightTable flight, int slot, bint stream,
                       int64_t first_byte_ns, int64_t idle_ns, int64_t ping_ns, int64_t hold_ns=0, object told=None):
        """Send one request; returns the future to await, None with `told`. The connection must be idle."""
        if self.state != IDLE or self.transport is None:
            raise RuntimeError("the connection is not idle")
        self.state = HEAD
        self.outcome = RUNNING
        self.status = 0
        self.forget()
        self.pieces = []
        self.collected = self.held_bytes = self.head_bytes = self.informational = self.bytes_out = 0
        self.received = self.flowing = self.streaming = self.surplus = self.ripe = self.attached = self.good = False
        self.held = []
        self.hold_ns = hold_ns
        self.left = -1
        self.meter = meter
        self.flight, self.slot = flight, slot
        self.wants_stream = stream
        self.send = self.credit = None
        self.paused = self.client_gone = self.kept = False
        self.tape = self.tape_ns = self.listener = self.frames = self.failure = None
        self.exchanges += 1
        self.idle_ns = idle_ns
        self.ping_ns = ping_ns
        self.last_ns = self.sent_ns = monotonic_ns()
        self.deadline_ns = self.last_ns + first_byte_ns
        self.told = told
        self.waiter = self.loop.create_future() if told is None else None
        if slot >= 0:  # sent, from here on: whatever was noted before is of another attempt
            flight.note(slot, meter.usage, 0)
        self.lent = send_now(self.fd, self.transport, head, body, self.lent)
        return self.waiter

    def attach(self, object send, Credit credit, object locate, object told=None):
        """Pass the stream on from here: `send(bytes)` pushes to the client at once, `locate()` asks for its descriptor
        to be looked up. Returns the future that is set when the stream has ended, None with `told`."""
        self.attached = True
        self.send = send
        self.credit = credit
        self.locate, self.located = locate, False  # who was looked for on this connection before was another client
        self.told = told
        ended = self.waiter = self.loop.create_future() if told is None else None
        if self.held:
            held = self.held[0] if len(self.held) == 1 else b"".join(self.held)
            self.held = []
            self.deliver(held)
        self.settle()
        return ended

    def leave(self):
        """The client has gone: stop the upstream at once, unless others share it. What was seen stays in the meter."""
        if self.state != IDLE and self.state != CLOSED and self.outcome == RUNNING:
            self.client_gone = True
            if not self.kept:
                self.fail("client_gone")

    def record(self, Py_ssize_t room, bint timed=False):
        """Keep what goes by from here on `tape`, up to `room` bytes of it; a longer stream leaves None there, unless
        it is shared. `timed`: and in `tape_ns` when each piece came (CLOCK_MONOTONIC). Before `attach`."""
        self.tape = []
        self.tape_ns = [] if timed else None
        self.tape_left = room

    def share(self, object listener):
        """Others live on this stream: `listener()` is called when there is more on the tape. The client no longer
        decides on its end or its pace; what a slow one leaves unread is no more than the tape holds anyway."""
        self.kept = True
        self.listener = listener
        if self.paused and self.transport is not None:
            self.paused = False
            self.transport.resume_reading()

    def unshare(self):
        """Nobody else lives on it any more."""
        self.kept = False
        self.listener = None
        if self.client_gone:
            self.leave()

    def fail(self, str kind):
        """End the exchange as failed and drop the connection: its framing is no longer known."""
        if self.outcome == RUNNING:
            self.outcome = FAILED
            self.failure = kind
        self.drop()
        self.settle()

    def abort(self):
        """Drop the connection without an exchange (idle too long, shutting down)."""
        self.drop()

    @property
    def usable(self):
        """Whether another exchange may start on this connection."""
        return self.state == IDLE and self.transport is not None

    @property
    def over(self):
        """Whether the exchange has ended, well or not."""
        return self.outcome != RUNNING

    @property
    def body(self):
        """The whole answer of a COLLECT exchange."""
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)

    # -- time, called by the worker's watch -------------------------------------------------------------------------

    def tick(self, int64_t now_ns):
        """Keep the exchange's deadlines and the ping of a stream of which nothing goes out. Cheap where none is due."""
        if self.outcome != RUNNING or self.state == IDLE or self.state == CLOSED:
            return
        if now_ns >= self.deadline_ns:
            if self.paused:
                self.fail("client_stalled")
            else:
                self.fail("idle_timeout" if self.received else "first_byte_timeout")
        elif (self.ping_ns and self.send is not None and not self.paused
              and now_ns - self.sent_ns >= self.ping_ns and now_ns - self.pinged_ns >= self.ping_ns
              and self.meter.between_events()):
            self.pinged_ns = now_ns
            self.push(PING)
        elif self.flowing and self.send is None and now_ns >= self.hold_until_ns:
            self.tell()

    # -- asyncio protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport):
        self.transport = transport
        socket = transport.get_extra_info("socket")
        if socket is not None and transport.get_extra_info("ssl_object") is None:
            self.fd = socket.fileno()

    def pause_writing(self):
        """The request body is larger than the socket takes at once; the transport keeps the rest."""

    def resume_writing(self):
        pass

    def eof_received(self):
        return False

    def connection_lost(self, exc):
        self.transport = None
        self.parser = None
        if self.state != IDLE and self.outcome == RUNNING:
            if self.received and not self.framed and self.state in (COLLECT, STREAM) and exc is None:
                self.outcome = COMPLETE  # a body that ends with its connection
            else:
                self.outcome = FAILED
                self.failure = "truncated" if self.status else "reset"
        self.state = CLOSED
        self.flush()
        self.settle()

    def data_received(self, bytes data):
        cdef bint first = not self.received
        if self.parser is None:
            return
        if self.state == IDLE:
            self.drop()  # bytes that nobody asked for
            return
        self.received = True
        self.last_ns = monotonic_ns()
        self.deadline_ns = self.last_ns + self.idle_ns
        if self.left >= 0:
            self.take(data, 0)
        elif not first or self.wants_stream or not self.open_plain(data):
            self.parse(data)
        if self.state == HEAD:
            self.head_bytes += PyBytes_GET_SIZE(data)
            if self.head_bytes > HEAD_MAX:
                self.fail("bad_response")
        elif self.state == STREAM:
            self.flush()
        self.settle()

    cdef int parse(self, bytes data) except -1:
        """Have llhttp read it."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail("bad_response")
        except httptools.HttpParserError:
            if self.outcome == RUNNING:
                self.outcome = FAILED
                self.failure = "bad_response"
            if self.state == STREAM:
                self.flush()  # what came before the fault was the provider's, and is charged
            self.drop()
        return 0

    cdef bint open_plain(self, bytes data) except -1:
        """Read it without llhttp, if it begins with a plain head."""
        cdef Reply reply
        cdef int i
        if not plain(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &reply):
            return False
        for i in range(reply.count):
            line = &reply.lines[i]
            self.note_line(line.name, line.name_size, line.value, line.value_size)
        self.left = reply.length
        self.begin(reply.status)
        self.take(data, reply.begun)
        return True

    cdef int take(self, bytes data, Py_ssize_t begun) except -1:
        """The body of a plain answer, or more of it. More than it stated ends the connection: nobody asked for that."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data) - begun
        cdef bint surplus = size > self.left
        if surplus:
            size = <Py_ssize_t>self.left
        if size:
            self.left -= size
            self.keep_piece(PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + begun, size))
        if self.left == 0:
            self.keep_alive = not surplus
            if self.outcome == RUNNING:
                self.outcome = COMPLETE
        return 0

    # -- httptools callbacks ----------------------------------------------------------------------------------------

    def on_message_begin(self):
        self.surplus = self.outcome != RUNNING  # an answer that nobody asked for, behind the one that is over

    def on_header(self, bytes name, bytes value):
        if self.outcome == RUNNING:
            self.note_line(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name),
                           PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))

    def on_headers_complete(self):
        cdef int status = self.parser.get_status_code()
        if status >= 200 and self.outcome == RUNNING:
            self.begin(status)

    cdef int begin(self, int status) except -1:
        """The head is there: a stream to pass on, or an answer to keep whole."""
        self.status, self.good = status, 200 <= status < 300
        if self.event_stream and self.good and self.wants_stream and not self.encoded:
            self.state = STREAM
            self.flowing = self.streaming = True
            self.hold_until_ns = self.last_ns + self.hold_ns
            if self.in_frames:
                self.frames = FrameReader.new()
            self.ripe = self.hold_ns == 0
        else:
            self.state = COLLECT
        return 0

    def on_body(self, bytes body):
        self.keep_piece(body)

    cdef int keep_piece(self, bytes body) except -1:
        """More of the body."""
        if self.outcome != RUNNING:
            return 0
        self.pieces.append(body)
        self.collected += PyBytes_GET_SIZE(body)
        if self.state == COLLECT and self.collected > BODY_MAX:
            self.outcome = FAILED
            self.failure = "bad_response"
            self.drop()
        return 0

    def on_message_complete(self):
        if self.status == 0:  # a 1xx: the real head follows
            self.informational += 1
            self.forget()
            if self.informational > INFORMATIONAL_MAX:
                self.outcome = FAILED
                self.failure = "bad_response"
                self.drop()
            return
        self.keep_alive = self.parser.should_keep_alive()
        if self.outcome == RUNNING:
            self.outcome = COMPLETE

    # -- inside -----------------------------------------------------------------------------------------------------

    cdef int flush(self) except -1:
        """Meter what was read of a stream and push it to the client, in one piece per upstream read; before `attach`
        hold it, and say when its content has begun."""
        cdef bytes chunk
        if not self.flowing or not self.pieces:
            return 0
        chunk = <bytes>self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        if self.frames is not None:
            chunk = self.translate(chunk)
            if not chunk:
                return 0
        self.meter.feed(PyBytes_AS_STRING(chunk), PyBytes_GET_SIZE(chunk))
        if self.slot >= 0:
            self.flight.note(self.slot, self.meter.usage, self.meter.output_bytes)
        if self.send is not None:
            return self.deliver(chunk)
        self.held.append(chunk)
        self.held_bytes += PyBytes_GET_SIZE(chunk)
        if self.meter.content_started or self.meter.errored or self.meter.stopped or self.held_bytes > HELD_MAX:
            self.ripe = True
        return 0

    cdef bytes translate(self, bytes frames):
        """Frames as events. What is no frame ends the exchange: the rest of the stream cannot be read."""
        cdef bytes events = self.frames.translate(<const unsigned char *>PyBytes_AS_STRING(frames),
                                                  PyBytes_GET_SIZE(frames))
        if self.frames.broken and self.outcome != FAILED:
            self.outcome = FAILED
            self.failure = "bad_response"
            self.drop()
        return events

    cdef int deliver(self, bytes chunk) except -1:
        """Push metered events to the client, unless it has gone."""
        if not self.client_gone:
            self.push(chunk)
            if self.credit.due() and self.outcome == RUNNING:
                self.check()
        if self.tape is not None:
            self.note(chunk)
        return 0

    cdef int note(self, bytes chunk) except -1:
        """Keep what went by, and tell those who wait for it."""
        self.tape_left -= PyBytes_GET_SIZE(chunk)
        if self.tape_left >= 0 or self.kept:
            self.tape.append(chunk)
            if self.tape_ns is not None:
                self.tape_ns.append(self.last_ns)
        else:
            self.tape = None
        if self.listener is not None:
            self.listener()
        return 0

    cdef int push(self, bytes chunk) except -1:
        cdef object told = self.send(chunk)
        # A tap or a dialect sends other bytes and says how many; the server's own answer is no number.
        cdef Py_ssize_t size = told if type(told) is int else PyBytes_GET_SIZE(chunk)
        if size:
            self.sent_ns = self.last_ns
            self.bytes_out += size
            self.credit.push(size)
        return 0

    cdef int check(self) except -1:
        """Ask the kernel how far the client is behind; pause the upstream while it is too far."""
        cdef int64_t behind = self.credit.outstanding()
        if behind == -2:
            self.leave()
        elif self.kept:
            return 0
        elif behind == -1 or behind > WINDOW:
            if behind == -1:
                if self.located:
                    return 0  # looked for and not found: an odd socket; the server's own limits remain
                self.located = True
                self.locate(self.recheck)
            if not self.paused:
                self.paused = True
                self.recheck_s = RECHECK_MIN_S
                self.deadline_ns = monotonic_ns() + self.idle_ns
                self.transport.pause_reading()
                if behind != -1:
                    self.loop.call_later(self.recheck_s, self.recheck)
        return 0

    def recheck(self):
        """While paused: read on once the client has caught up with half the window."""
        cdef int64_t behind
        if not self.paused or self.outcome != RUNNING or self.transport is None:
            return
        behind = self.credit.outstanding()
        if behind == -2:
            self.leave()
        elif behind <= WINDOW // 2:
            self.paused = False
            self.deadline_ns = monotonic_ns() + self.idle_ns
            self.transport.resume_reading()
        else:
            if behind < self.behind:
                self.deadline_ns = monotonic_ns() + self.idle_ns  # slow, but it reads
            self.behind = behind
            self.recheck_s = min(self.recheck_s * 2, RECHECK_MAX_S)
            self.loop.call_later(self.recheck_s, self.recheck)

    cdef int settle(self) except -1:
        """What has been read is dealt with. Once the exchange is over: wake whoever waits, keep the connection if it
        can serve again."""
        if self.outcome == RUNNING:
            return self.tell() if self.ripe else 0
        if self.attached:
            self.send = self.locate = None  # the server ends a stream when nobody holds its transport any more
        elif self.state == STREAM:
            return self.tell()  # the relay attaches next and is told then
        if (self.outcome != COMPLETE or not self.keep_alive or self.surplus or self.transport is None
                or (self.lent and self.transport.get_write_buffer_size())):  # the next request would stand behind it
            self.drop()
        elif self.state != CLOSED:
            self.state = IDLE
            if self.paused:
                self.paused = False
                self.transport.resume_reading()
        return self.tell()

    cdef int tell(self) except -1:
        """What is waited for is there. The last that is done: who is told may attach a stream, or give the connection
        back, which may begin another exchange then."""
        self.ripe = False
        wake(self.waiter)
        told, self.told = self.told, None
        if told is not None:
            told()
        return 0

    cdef int drop(self) except -1:
        """Close at once, without waiting for what is still to be written."""
        if self.state != CLOSED:
            self.state = CLOSED
            if self.transport is not None:
                self.transport.abort()
        return 0
