"""The flight table of one worker: one slot a call, filled before dialling, freed after the journal has the call.

Owns the file's layout (flight.pxd) and every store into it. What a note means is fastgate.journal.flight's business;
who reads the table after a death is fastgate.control.recover. Holds the file's lock as long as the worker lives:
obtaining that lock is the proof of death.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stddef cimport size_t
from libc.string cimport memcpy, memset
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap

from fastgate._core.crc cimport fg_crc32c, fg_crc_init

import contextlib
import errno
import fcntl
import os
import time

__all__ = [
    "DEFAULT_SLOTS", "FLAG_FAST", "FLAG_FINAL", "FLAG_MALFORMED", "FLAG_PRIORITY", "FLAG_SEEN", "FLAG_US_GEO",
    "FlightTable", "HEADER_BYTES", "MAGIC", "MAX_SLOTS", "NOTE_BYTES", "SLOT_BYTES", "VERSION",
]

cdef extern from *:
    """
    #define FASTGATE_ORDERED() __asm__ __volatile__("" ::: "memory")
    """
    void ordered "FASTGATE_ORDERED"() noexcept nogil

MAGIC = b"FGFLIGHT"
VERSION = 1
HEADER_BYTES = HEADER_SIZE
NOTE_BYTES = NOTE_SIZE
SLOT_BYTES = sizeof(Slot)

DEFAULT_SLOTS = 8192
"""Calls in flight of one worker. A call holds two descriptors and common hard limits allow 20,000; 24 MiB of disk."""

MAX_SLOTS = 1 << 20

cdef enum:
    FREE = 0
    TAKEN = 1
    LIVE_INPUT = 0
    LIVE_OUTPUT = 1
    LIVE_WRITE_5M = 2
    LIVE_WRITE_1H = 3
    LIVE_READ = 4
    LIVE_WEB_SEARCH = 5
    LIVE_WEB_FETCH = 6
    LIVE_CODE_EXECUTION = 7
    LIVE_OUTPUT_BYTES = 8
    SEEN = 1
    FINAL = 2
    MALFORMED = 4
    FAST = 8
    US_GEO = 16
    PRIORITY = 32

FLAG_SEEN, FLAG_FINAL, FLAG_MALFORMED = SEEN, FINAL, MALFORMED
FLAG_FAST, FLAG_US_GEO, FLAG_PRIORITY = FAST, US_GEO, PRIORITY

fg_crc_init()


@cython.final
cdef class FlightTable:
    """The mapped file. One per worker, used from its event loop's thread only; made by `FlightTable.create`."""

    def __cinit__(self):
        self.fd = -1

    def __init__(self):
        raise TypeError("use FlightTable.create(...)")

    @staticmethod
    def create(path, str epoch, int slots=DEFAULT_SLOTS):
        """Make, lock and map the file at `path`, which must not exist (FileExistsError).

        The disk space is taken now: a store into a mapped hole on a full disk would kill the worker. The file gets its
        name only once it is locked, so nobody can take a table in the making for a dead worker's.
        """
        if not 0 < slots <= MAX_SLOTS:
            raise ValueError(f"slots must lie in 1..{MAX_SLOTS}, got {slots}")
        raw_epoch = epoch.encode("ascii")
        if len(raw_epoch) != 12:
            raise ValueError(f"an epoch has 12 characters, got {epoch!r}")
        cdef FlightTable table = FlightTable.__new__(FlightTable)
        table.path, table.epoch = os.fspath(path), epoch
        unnamed = f"{table.path}.{os.getpid()}.new"
        table.fd = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(table.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            table.mapped_bytes = HEADER_SIZE + <size_t>slots * sizeof(Slot)
            os.posix_fallocate(table.fd, 0, table.mapped_bytes)
            open_map(table, raw_epoch, slots)
            os.link(unnamed, table.path)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(unnamed)
        return table

    def __dealloc__(self):
        # A table that is dropped without `close` gives its memory back and, as in a crash, leaves the file as it is.
        if self.header is not NULL:
            munmap(self.header, self.mapped_bytes)
        PyMem_Free(self.free)
        if self.fd >= 0:
            os.close(self.fd)

    cpdef int claim(self, uint64_t n, int64_t at_ns, bytes blob) except -2:
        """A slot for call number `n` with its note, or -1 when every slot is taken. ValueError: note too long. Nothing
        is sent until the first `note`."""
        if self.count == 0:
            raise ValueError("the flight table is closed")
        if self.free_count == 0:
            return -1
        cdef int index = self.free[self.free_count - 1]
        cdef Slot *slot = self.first + index
        slot.n = n
        slot.at_ns = at_ns
        slot.flags = 0
        memset(slot.live, 0, sizeof(slot.live))
        self.put(slot, 0, blob)
        slot.area = 2  # attempt 1, and figures of none
        slot.live_of = 0
        ordered()
        slot.state = TAKEN
        ordered()
        self.free_count -= 1
        self.header.in_flight += 1
        return index

    cpdef object amend(self, int slot, bytes blob):
        """Put another note in force for the call in `slot`: its next attempt begins, to this endpoint, model and price.
        Live figures are the former attempt's from now on, which the note accounts for; of this one none is sent until
        the next `note`."""
        cdef Slot *entry = self.taken(slot)
        cdef int area = (entry.area & 1) ^ 1
        self.put(entry, area, blob)
        ordered()
        entry.area = <uint8_t>((entry.area & ~1) + 2 | area)

    cpdef object release(self, int slot):
        """The journal has the call: free its slot."""
        cdef Slot *entry = self.taken(slot)
        entry.state = FREE
        ordered()
        self.header.in_flight -= 1
        self.free[self.free_count] = slot
        self.free_count += 1

    cdef void note(self, int slot, Usage usage, int64_t output_bytes) noexcept:
        """What the call in `slot` has used so far. Plain stores; a slot outside the table is ignored."""
        if slot < 0 or slot >= self.count:
            return
        cdef Slot *entry = self.first + slot
        entry.live[LIVE_OUTPUT_BYTES] = output_bytes
        entry.live[LIVE_INPUT] = usage.input_tokens
        entry.live[LIVE_OUTPUT] = usage.output_tokens
        entry.live[LIVE_WRITE_5M] = usage.cache_write_5m_tokens
        entry.live[LIVE_WRITE_1H] = usage.cache_write_1h_tokens
        entry.live[LIVE_READ] = usage.cache_read_tokens
        entry.live[LIVE_WEB_SEARCH] = usage.web_search
        entry.live[LIVE_WEB_FETCH] = usage.web_fetch
        entry.live[LIVE_CODE_EXECUTION] = usage.code_execution
        ordered()  # `final` must not be there before the figures that it calls final
        entry.flags = (
            usage.seen * SEEN | usage.final * FINAL | usage.malformed * MALFORMED
            | usage.fast * FAST | usage.us_geo * US_GEO | usage.priority * PRIORITY
        )
        ordered()  # until now the figures were a former attempt's
        entry.live_of = entry.area >> 1

    cpdef object note_usage(self, int slot, Usage usage, int64_t output_bytes):
        """`note` for a slot that must be taken: that of a call whose whole answer is read."""
        self.taken(slot)
        self.note(slot, usage, output_bytes)

    def close(self):
        """Unmap and unlock. The file goes away when no call is in flight, else it is left to be recovered."""
        if self.count == 0:
            return
        if self.header.in_flight == 0:
            os.unlink(self.path)
        self.count = self.free_count = 0
        munmap(self.header, self.mapped_bytes)
        self.header = NULL
        self.first = NULL
        os.close(self.fd)
        self.fd = -1

    @property
    def in_flight(self):
        return self.header.in_flight if self.count else 0

    @property
    def slots(self):
        return self.count

    @property
    def calls(self):
        """All calls of this worker, those without a slot too (their body is still coming, or they wait for money or a
        guard), as it told last; the supervisor reads it from outside."""
        return self.header.calls if self.count else 0

    @calls.setter
    def calls(self, uint32_t value):
        if self.count:
            self.header.calls = value

    @property
    def generation(self):
        """The snapshot generation that this worker has adopted; the supervisor reads it from outside."""
        return self.header.generation if self.count else 0

    @generation.setter
    def generation(self, uint64_t value):
        if self.count == 0:
            raise ValueError("the flight table is closed")
        self.header.generation = value

    cdef int put(self, Slot *slot, int area, bytes blob) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(blob)
        if size > NOTE_SIZE:
            raise ValueError(f"a note of {size} bytes does not fit into {NOTE_SIZE}")
        memcpy(slot.notes[area], PyBytes_AS_STRING(blob), size)
        slot.note_bytes[area] = <uint32_t>size
        # n and at_ns lie side by side.
        slot.note_crc[area] = fg_crc32c(fg_crc32c(0, slot.notes[area], size), &slot.n, 16)
        return 0

    cdef Slot *taken(self, int slot) except NULL:
        if slot < 0 or slot >= self.count or self.first[slot].state != TAKEN:
            raise ValueError(f"slot {slot} is not taken")
        return self.first + slot


cdef int open_map(FlightTable table, bytes epoch, int slots) except -1:
    cdef void *base = mmap(NULL, table.mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, table.fd, 0)
    if base == MAP_FAILED:
        raise OSError(errno.ENOMEM, "the flight table cannot be mapped", table.path)
    table.header = <Header *>base
    table.first = <Slot *>(<char *>base + HEADER_SIZE)
    table.free = <int *>PyMem_Malloc(slots * sizeof(int))
    if table.free is NULL:
        raise MemoryError
    cdef int i
    for i in range(slots):
        table.free[i] = slots - 1 - i  # the lowest slot on top: few pages are ever touched
    table.free_count = table.count = slots
    memcpy(table.header.magic, b"FGFLIGHT", 8)
    table.header.version = VERSION
    table.header.slot_bytes = sizeof(Slot)
    table.header.slots = slots
    table.header.pid = os.getpid()
    memcpy(table.header.epoch, PyBytes_AS_STRING(epoch), 12)
    table.header.started_ns = time.time_ns()
    return 0
