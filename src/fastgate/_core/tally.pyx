# cython: language_level=3
"""Finished calls out of a segment's bytes, as counting and charging need them: figures as numbers, and what many calls
share (who, which models, which session) as the bytes that stand for it, which are compared and not decoded.

Reads what a gateway of today writes: every field there, MessagePack as fastgate.record lays it out. Whatever is not
plainly that ends the run, and is left to control/feed.py, which brings it into this form or says what is wrong with it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int8_t, int64_t, uint64_t
from libc.string cimport memcmp, memcpy

cimport cython

from fastgate._core.crc cimport fg_crc_init
from fastgate._core.segment cimport LEAD, STAMP, FgFrame, is_next

__all__ = ["Tally", "alike", "charge_once", "newest", "paid", "read_call", "whole_calls"]

cdef enum:
    VERSION = 1
    KIND_CALL = 1  # both as in journal/format.py
    FIELDS = 50  # of a CallRecord
    PIECES = 5  # of what makes a kind
    NIL = 0xc0
    OBJECT_BYTES = 400  # a Tally, and what Python adds to each of its parts
    DIGITS_MAX = 18  # of a call's number: all of them fit into 63 bits

ctypedef const unsigned char *bytes_t

fg_crc_init()


# A part of the record's bytes.
cdef struct Piece:
    bytes_t p
    Py_ssize_t n


cdef struct Seen:
    Figures figures
    Piece worker
    Piece kind[PIECES]
    Piece thread
    Piece cells
    Piece shown
    bint judged


@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class Tally:
    """One finished call, and where its record stands."""

    @property
    def size(self):
        return self.bytes_held()

    cdef Py_ssize_t bytes_held(self) noexcept:
        return (
            OBJECT_BYTES + PyBytes_GET_SIZE(self.worker) + PyBytes_GET_SIZE(self.kind) + PyBytes_GET_SIZE(self.thread)
            + PyBytes_GET_SIZE(self.cells) + PyBytes_GET_SIZE(self.shown) + PyBytes_GET_SIZE(self.body)
        )

    @property
    def number(self):
        return self.figures.number

    @property
    def at_ns(self):
        return self.figures.at_ns

    @property
    def cost_nano(self):
        return self.figures.cost_nano

    def row(self, int64_t worker, int64_t kind, int64_t thread, int64_t journal):
        cdef Figures *has = &self.figures
        return (
            worker, has.number, has.at_ns, kind, thread, has.cost_nano, has.cost_asked_nano, has.saved_nano,
            has.saved_downgrade_nano, has.saved_arbitration_nano, has.input_tokens, has.output_tokens,
            has.cache_write_5m_tokens, has.cache_write_1h_tokens, has.cache_read_tokens, journal, self.segment,
            self.offset, None, 0,
        )


def read_call(bytes body, int segment, int64_t offset, int64_t sequence):
    """The call in the body of a record; None where it is not plainly one."""
    cdef bytes_t data = <bytes_t>PyBytes_AS_STRING(body)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
    cdef Seen seen
    if not read(data, size, &seen):
        return None
    return made(&seen, None, segment, offset, sequence, data, size)


def whole_calls(bytes window, Py_ssize_t at, uint64_t epoch, uint64_t sequence, int segment, int64_t base, int most):
    """As _core.segment.whole_records, of records that are calls; the first that is not plainly one ends the run too."""
    cdef bytes_t data = <bytes_t>PyBytes_AS_STRING(window)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(window)
    cdef FgFrame frame
    cdef Seen seen
    cdef Tally before = None
    cdef list found = []
    while most > 0 and is_next(<const char *>data + at, size - at, epoch, sequence + 1, &frame):
        if frame.version != VERSION or frame.kind != KIND_CALL:
            break
        if not read(data + at + LEAD + STAMP, frame.length - STAMP, &seen):
            break
        before = made(
            &seen, before, segment, base + at, frame.sequence, data + at + LEAD + STAMP, frame.length - STAMP
        )
        found.append(before)
        at += LEAD + frame.length
        sequence += 1
        most -= 1
    return found, at


def newest(list found, Py_ssize_t most_bytes):
    """How many of the last ones are no larger together."""
    cdef Py_ssize_t at = len(found)
    while at > 0:
        one = found[at - 1]
        most_bytes -= (<Tally>one).bytes_held() if type(one) is Tally else <Py_ssize_t>one.size
        if most_bytes < 0:
            break
        at -= 1
    return len(found) - at


def alike(list found, bint by_thread):
    """The calls among `found` that cost something, those together that budgets cannot tell apart."""
    cdef dict groups = {}
    cdef list group = None
    cdef Tally call, before = None
    for one in found:
        if type(one) is not Tally:
            continue
        call = <Tally>one
        if call.figures.cost_nano == 0:
            continue
        if before is None or not are_alike(call, before, by_thread):
            what = (call.worker, call.kind, call.cells, call.thread if by_thread else None)
            group = groups.get(what)
            if group is None:
                group = groups[what] = []
        group.append(call)
        before = call
    return list(groups.values())


cdef bint are_alike(Tally a, Tally b, bint by_thread) noexcept:
    """Whether they are known to be: calls that follow one another share what they have in common."""
    return (
        a.kind is b.kind and a.worker is b.worker and a.cells is b.cells and (not by_thread or a.thread is b.thread)
    )


def paid(list calls, int64_t from_ns, int64_t last_ns):
    """Number and cost of the first, and of those that began from `from_ns` to `last_ns` as well; and the rest."""
    cdef Tally call
    cdef list within = [], rest = []
    for one in calls:
        call = <Tally?>one
        if not within or from_ns <= call.figures.at_ns <= last_ns:
            within.append((call.figures.number, call.figures.cost_nano))
        else:
            rest.append(call)
    return within, rest


def charge_once(list calls, int64_t page_calls, page_of):
    """What `calls` come to of which no page is marked; their pages are, from then on."""
    cdef int64_t n, at = -1
    cdef bytearray page = None
    cdef char *marks = NULL
    total = 0
    for number, cost_nano in calls:
        n = number
        if n < 0:
            raise ValueError(f"{n} is no call's number")
        if page is None or n // page_calls != at:
            at = n // page_calls
            page = page_of(at)
            if len(page) != page_calls:
                raise ValueError(f"a page of {len(page)} calls, not {page_calls}")
            marks = page
        if cost_nano and not marks[n % page_calls]:
            marks[n % page_calls] = 1
            total += cost_nano
    return total


cdef Tally made(
    Seen *seen, Tally before, int segment, int64_t offset, int64_t sequence, bytes_t body, Py_ssize_t size
):
    """What was seen as an object; it shares with the call before it what they have in common."""
    cdef Tally call = Tally.__new__(Tally)
    call.segment = segment
    call.offset = offset
    call.sequence = sequence
    call.figures = seen.figures
    call.body = PyBytes_FromStringAndSize(<const char *>body, size) if seen.judged else b""
    call.worker = joined(&seen.worker, 1, None if before is None else before.worker)
    call.kind = joined(seen.kind, PIECES, None if before is None else before.kind)
    call.thread = joined(&seen.thread, 1, None if before is None else before.thread)
    call.cells = joined(&seen.cells, 1, None if before is None else before.cells)
    call.shown = joined(&seen.shown, 1, b"")
    return call


cdef bytes joined(Piece *pieces, int count, bytes known):
    """The pieces, one behind the other: `known` itself where it is the same."""
    cdef Py_ssize_t size = 0
    cdef int i
    for i in range(count):
        size += pieces[i].n
    if known is not None and PyBytes_GET_SIZE(known) == size and same(<bytes_t>PyBytes_AS_STRING(known), pieces, count):
        return known
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, size)
    cdef char *to = PyBytes_AS_STRING(whole)
    for i in range(count):
        memcpy(to, pieces[i].p, pieces[i].n)
        to += pieces[i].n
    return whole


cdef bint same(bytes_t p, Piece *pieces, int count) noexcept:
    cdef int i
    for i in range(count):
        if memcmp(p, pieces[i].p, pieces[i].n):
            return False
        p += pieces[i].n
    return True


# -- one record -------------------------------------------------------------------------------------------------------

cdef bint read(bytes_t p, Py_ssize_t size, Seen *seen) noexcept nogil:
    """Whether the body is a call's record, whole and as it is written today; the fields in their order."""
    cdef bytes_t end = p + size
    cdef Figures *has = &seen.figures
    cdef uint64_t fields = 0, sightings = 0
    cdef bytes_t shown
    cdef Piece prefix
    cdef int64_t ignored
    p = array(p, end, &fields)
    if fields < FIELDS:
        return False
    p = call_id(p, end, seen)
    p = integer(p, end, &has.at_ns)
    p = integers(p, end, 2)  # duration_us, head_us
    p = piece(p, texts(p, end, 5), end, 1, &seen.kind[0])  # org, team, user, key, cost_center, tags
    p = piece(p, texts(p, end, 2), end, 0, &seen.thread)  # session, agent
    p = texts(p, end, 3)  # parent_agent, request_class, route
    p = piece(p, texts(p, end, 4), end, 0, &seen.kind[1])  # model_asked, model_used, endpoint, provider
    p = integer(p, end, &ignored)  # status
    p = piece(p, texts(p, end, 1), end, 0, &seen.kind[2])  # outcome
    p = boolean(texts(p, end, 1), end)  # error, stream
    p = piece(p, texts(p, end, 1), end, 0, &seen.kind[3])  # cache
    p = texts(p, end, 2)  # guard, routed
    p = usage(p, end, has)
    p = usage_state(p, end)
    p = integer(p, end, &has.cost_nano)
    p = integer(p, end, &has.cost_asked_nano)
    p = integer(p, end, &has.saved_nano)
    p = skip(p, end, 1)  # stages
    p = texts(p, end, 1)  # policy
    p = skip(p, end, 1)  # attempts
    p = texts(p, end, 1)  # system_sha256
    p = skip(p, end, 1)  # tools
    p = integers(p, end, 2)  # request_bytes, response_bytes
    p = texts(p, end, 2)  # upstream_request_id, stop_reason
    p = piece(p, texts(p, end, 1), end, 0, &seen.kind[4])  # namespace
    p = piece(p, p, end, 1, &seen.cells)
    p = skip(p, end, 1)  # verdicts
    p = integer(p, end, &has.saved_downgrade_nano)
    p = integer(p, end, &has.saved_arbitration_nano)
    p = skip(p, end, 1)  # decision
    p = binary(p, end, &prefix)
    p = skip(p, end, 1)  # ladder
    shown = p
    p = array(p, end, &sightings)
    p = piece(shown, skip(p, end, sightings), end, 0, &seen.shown)
    seen.judged = prefix.n > 0 or (p != NULL and p < end and p[0] != NIL)
    p = skip(p, end, fields - (FIELDS - 1))  # placed, what is newer than this code
    if sightings == 0:
        seen.shown.n = 0
    return p == end  # NULL is not


cdef bytes_t call_id(bytes_t p, bytes_t end, Seen *seen) noexcept nogil:
    """`fg-WORKER-NUMBER`, as journal/format.py writes it."""
    cdef Piece id
    cdef bytes_t at
    p = text(p, end, &id)
    if p == NULL or id.n < 5 or memcmp(id.p, b"fg-", 3):
        return NULL
    at = id.p + 3
    while at < p and at[0] != c'-':
        at += 1
    seen.worker.p = id.p + 3
    seen.worker.n = at - seen.worker.p
    at += 1
    if not 1 <= p - at <= DIGITS_MAX or (at[0] == c'0' and p - at > 1):
        return NULL
    seen.figures.number = 0
    while at < p:
        if not c'0' <= at[0] <= c'9':
            return NULL
        seen.figures.number = 10 * seen.figures.number + (at[0] - c'0')
        at += 1
    return p


cdef bytes_t usage(bytes_t p, bytes_t end, Figures *has) noexcept nogil:
    cdef uint64_t classes = 0
    p = array(p, end, &classes)
    if classes < 5:
        return NULL
    p = integer(p, end, &has.input_tokens)
    p = integer(p, end, &has.output_tokens)
    p = integer(p, end, &has.cache_write_5m_tokens)
    p = integer(p, end, &has.cache_write_1h_tokens)
    p = integer(p, end, &has.cache_read_tokens)
    return skip(p, end, classes - 5)


cdef bytes_t usage_state(bytes_t p, bytes_t end) noexcept nogil:
    cdef Piece state
    p = text(p, end, &state)
    if p == NULL:
        return NULL
    if state.n == 4 and memcmp(state.p, b"none", 4) == 0:
        return p
    if state.n == 5 and memcmp(state.p, b"exact", 5) == 0:
        return p
    if state.n == 7 and (memcmp(state.p, b"partial", 7) == 0 or memcmp(state.p, b"missing", 7) == 0):
        return p
    return NULL


cdef inline bytes_t piece(bytes_t start, bytes_t p, bytes_t end, int more, Piece *out) noexcept nogil:
    """From `start` to `p`, and `more` values behind it."""
    p = skip(p, end, more)
    out.p = start
    out.n = 0 if p == NULL else p - start
    return p


# -- MessagePack: each goes past what it names, and gives NULL for what is not that, or where it was given NULL --------

cdef bytes_t text(bytes_t p, bytes_t end, Piece *out) noexcept nogil:
    if p == NULL or p == end:
        return NULL
    if 0xa0 <= p[0] <= 0xbf:
        out.n = p[0] & 0x1f
        out.p = p + 1
    elif 0xd9 <= p[0] <= 0xdb:
        out.p = sized(p, end, p[0] - 0xd9, &out.n)
        if out.p == NULL:
            return NULL
    else:
        return NULL
    return out.p + out.n if out.n <= end - out.p else NULL


cdef bytes_t texts(bytes_t p, bytes_t end, int count) noexcept nogil:
    cdef Piece ignored
    while count > 0 and p != NULL:
        p = text(p, end, &ignored)
        count -= 1
    return p


cdef bytes_t binary(bytes_t p, bytes_t end, Piece *out) noexcept nogil:
    out.n = 0
    if p == NULL or p == end or not 0xc4 <= p[0] <= 0xc6:
        return NULL
    out.p = sized(p, end, p[0] - 0xc4, &out.n)
    return out.p + out.n if out.p != NULL and out.n <= end - out.p else NULL


cdef bytes_t boolean(bytes_t p, bytes_t end) noexcept nogil:
    return p + 1 if p != NULL and p < end and (p[0] == 0xc2 or p[0] == 0xc3) else NULL


cdef bytes_t array(bytes_t p, bytes_t end, uint64_t *count) noexcept nogil:
    cdef Py_ssize_t n = 0
    if p == NULL or p == end:
        return NULL
    if 0x90 <= p[0] <= 0x9f:
        count[0] = p[0] & 0x0f
        return p + 1
    if not 0xdc <= p[0] <= 0xdd:
        return NULL
    p = sized(p, end, p[0] - 0xdb, &n)
    count[0] = <uint64_t>n
    return p


cdef bytes_t integer(bytes_t p, bytes_t end, int64_t *out) noexcept nogil:
    """One of 64 bits with a sign."""
    cdef int width
    cdef uint64_t raw
    if p == NULL or p == end:
        return NULL
    if p[0] <= 0x7f or p[0] >= 0xe0:
        out[0] = <int8_t>p[0]
        return p + 1
    if not 0xcc <= p[0] <= 0xd3:
        return NULL
    width = 1 << (p[0] & 3)
    if end - p <= width:
        return NULL
    raw = big_endian(p + 1, width)
    if p[0] < 0xd0:
        if raw > <uint64_t>INT64_MAX:
            return NULL
        out[0] = <int64_t>raw
    else:
        out[0] = <int64_t>(raw << (64 - 8 * width)) >> (64 - 8 * width)
    return p + 1 + width


cdef bytes_t integers(bytes_t p, bytes_t end, int count) noexcept nogil:
    cdef int64_t ignored
    while count > 0 and p != NULL:
        p = integer(p, end, &ignored)
        count -= 1
    return p


cdef bytes_t skip(bytes_t p, bytes_t end, uint64_t values) noexcept nogil:
    """Past so many values and all that is in them. Containers add to what is left, so nothing nests."""
    cdef uint64_t more
    cdef Py_ssize_t n
    cdef int code
    while values > 0:
        if p == NULL or p == end:
            return NULL
        values -= 1
        code = p[0]
        n = more = 0
        if code <= 0x7f or code >= 0xe0 or code == 0xc0 or code == 0xc2 or code == 0xc3:
            p += 1
        elif code <= 0x8f:
            more = 2 * (code & 0x0f)
            p += 1
        elif code <= 0x9f:
            more = code & 0x0f
            p += 1
        elif code <= 0xbf:
            n = code & 0x1f
            p += 1
        elif 0xc4 <= code <= 0xc6:
            p = sized(p, end, code - 0xc4, &n)
        elif 0xd9 <= code <= 0xdb:
            p = sized(p, end, code - 0xd9, &n)
        elif 0xdc <= code <= 0xdf:
            p = sized(p, end, 1 + (code - 0xdc) % 2, &n)
            more = <uint64_t>n * (1 if code < 0xde else 2)
            n = 0
        elif 0xca <= code <= 0xcb:
            n = 4 << (code - 0xca)
            p += 1
        elif 0xcc <= code <= 0xd3:
            n = 1 << (code & 3)
            p += 1
        else:
            return NULL  # extensions: no field of ours has one
        if p == NULL or n > end - p:
            return NULL
        p += n
        values += more
    return p


cdef inline bytes_t sized(bytes_t p, bytes_t end, int wide, Py_ssize_t *size) noexcept nogil:
    """Past a first byte and the length behind it, of 1, 2 or 4 bytes as `wide` is 0, 1 or 2."""
    cdef int width = 1 << wide
    if end - p <= width:
        return NULL
    size[0] = <Py_ssize_t>big_endian(p + 1, width)
    return p + 1 + width


cdef inline uint64_t big_endian(bytes_t p, int width) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(width):
        value = value << 8 | p[i]
    return value
