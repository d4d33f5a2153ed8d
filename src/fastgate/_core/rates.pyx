"""Rate and concurrency limits over all workers of one machine: a call enters its gate, and leaves it when it ends.

Owns the table's layout (rates.pxd) and every access to it. Whose limits a call is under, and which file and lane are
this worker's, is fastgate.gateway.rates' business.
"""

cimport cython
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.string cimport memset
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap

import errno

__all__ = ["Gate", "HEAD_BYTES", "LANES", "LANE_BYTES", "MAX_TOKENS", "RateTable", "SLOTS", "TABLE_BYTES"]

cdef extern from *:
    """
    #define FASTGATE_LOAD(p) __atomic_load_n(p, __ATOMIC_SEQ_CST)
    #define FASTGATE_STORE(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
    #define FASTGATE_ADD(p, v) __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
    #define FASTGATE_SWAP(p, was, v) \
        __atomic_compare_exchange_n(p, was, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
    """
    uint64_t load_key "FASTGATE_LOAD"(uint64_t *p) noexcept nogil
    int64_t load_time "FASTGATE_LOAD"(int64_t *p) noexcept nogil
    uint16_t load_count "FASTGATE_LOAD"(uint16_t *p) noexcept nogil
    void store_count "FASTGATE_STORE"(uint16_t *p, uint16_t value) noexcept nogil
    int64_t add_time "FASTGATE_ADD"(int64_t *p, int64_t value) noexcept nogil
    bint swap_key "FASTGATE_SWAP"(uint64_t *p, uint64_t *was, uint64_t value) noexcept nogil
    bint swap_time "FASTGATE_SWAP"(int64_t *p, int64_t *was, int64_t value) noexcept nogil

SLOTS = SLOT_COUNT
"""Subjects with a limit that one run can tell apart. Beyond, newcomers share a slot: stricter, never looser."""
LANES = LANE_COUNT
"""Workers; no configuration has more."""
HEAD_BYTES = HEAD_SIZE + SLOT_COUNT * 24
LANE_BYTES = SLOT_COUNT * 2
TABLE_BYTES = HEAD_SIZE + SLOT_COUNT * 24 + LANE_COUNT * SLOT_COUNT * 2
MAX_TOKENS = 100_000_000
"""Of one call, as far as it counts here: a hundred times the largest context; sixty thousand million times it fits."""

cdef enum:
    REQUESTS = 1
    TOKENS = 2
    PARALLEL = 3
    MOST_TOKENS = 100_000_000
    MOST_IN_FLIGHT = 65_535

cdef int64_t MINUTE_NS = 60_000_000_000


@cython.final
cdef class RateTable:
    """The mapped file, as the worker of one lane sees it. Its calls in flight begin at none."""

    def __init__(self, int fd, int lane):
        if not 0 <= lane < LANE_COUNT:
            raise ValueError(f"a lane lies in 0..{LANE_COUNT - 1}, got {lane}")
        self.base = mmap(NULL, <size_t>TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        if self.base == MAP_FAILED:
            self.base = NULL
            raise OSError(errno.ENOMEM, "the rate table cannot be mapped")
        cdef char *at = <char *>self.base
        self.lanes = <uint64_t *>at
        self.keys = <uint64_t *>(at + HEAD_SIZE)
        self.requests = <int64_t *>(at + HEAD_SIZE + SLOT_COUNT * 8)
        self.tokens = <int64_t *>(at + HEAD_SIZE + SLOT_COUNT * 16)
        self.in_flight = <uint16_t *>(at + HEAD_SIZE + SLOT_COUNT * 24)
        self.lane = lane
        memset(self.in_flight + lane * SLOT_COUNT, 0, SLOT_COUNT * sizeof(uint16_t))
        cdef uint64_t taken = load_key(self.lanes)
        while taken <= <uint64_t>lane and not swap_key(self.lanes, &taken, lane + 1):
            pass

    def __dealloc__(self):
        if self.base != NULL:
            munmap(self.base, <size_t>TABLE_BYTES)

    def gate(self, limits):
        """The gate of a call under `limits`, at most three of (key, requests a minute, tokens a minute, parallel
        calls), 0 for none. `key` is a hash of who is limited, below 2**64 and not 0."""
        if not 0 < len(limits) <= LIMITS:
            raise ValueError(f"1 to {LIMITS} limits, got {len(limits)}")
        cdef Gate made = Gate.__new__(Gate)
        made.table = self
        made.count = 0
        for key, requests, tokens, parallel in limits:
            if key == 0 or not (0 <= requests <= MINUTE_NS and 0 <= tokens <= MINUTE_NS and parallel >= 0):
                raise ValueError(f"no limit: {(key, requests, tokens, parallel)}")
            made.limits[made.count] = Limit(
                self.slot(key), MINUTE_NS // <int64_t>requests if requests else 0, tokens, min(parallel, MOST_IN_FLIGHT)
            )
            made.count += 1
        return made

    cdef int slot(self, uint64_t key) noexcept:
        """The slot of `key`, taken if it has none."""
        cdef uint64_t found
        cdef int at = <int>(key & (SLOT_COUNT - 1))
        cdef int _tried
        for _tried in range(SLOT_COUNT):
            found = load_key(self.keys + at)
            if found == 0 and swap_key(self.keys + at, &found, key):
                return at
            if found == key:  # a swap that failed has put in `found` what was there
                return at
            at = (at + 1) & (SLOT_COUNT - 1)
        return at

    cdef uint16_t *mine(self, int slot) noexcept:
        return self.in_flight + self.lane * SLOT_COUNT + slot

    cdef int64_t parallel(self, int slot) noexcept:
        """Calls in flight of every worker."""
        cdef int64_t total = 0
        cdef uint64_t lane
        for lane in range(load_key(self.lanes)):
            total += load_count(self.in_flight + lane * SLOT_COUNT + slot)
        return total


@cython.final
cdef class Gate:
    """What one principal's calls pass. Made by `RateTable.gate`; used from one thread."""

    def __init__(self):
        raise TypeError("use RateTable.gate(...)")

    def enter(self, int64_t now_ns):
        """0 when the call is let in, and then `leave` is owed. Else 1 for requests, 2 for tokens, 3 for parallel calls,
        plus three for each limit before the one that refuses; then nothing was taken, and `wait_ns` says how long."""
        cdef int at, why, taken
        for at in range(self.count):
            why = self.refuse(&self.limits[at], now_ns)
            if why:
                for taken in range(at):
                    self.undo(&self.limits[taken])
                return why + 3 * at
        return 0

    def leave(self, int64_t tokens, int64_t now_ns):
        """The call is over and has used `tokens`; they are taken from the buckets now, be they empty or not."""
        cdef int at
        cdef Limit *limit
        cdef int64_t full_ns, taken_ns
        tokens = min(max(tokens, 0), MOST_TOKENS)
        for at in range(self.count):
            limit = &self.limits[at]
            if limit.parallel:
                self.count_out(limit)
            if limit.tokens and tokens:
                taken_ns = tokens * MINUTE_NS // limit.tokens
                full_ns = load_time(self.table.tokens + limit.slot)
                while not swap_time(self.table.tokens + limit.slot, &full_ns, max(full_ns, now_ns) + taken_ns):
                    pass

    @property
    def in_flight(self):
        """Calls in flight of each limit, of every worker."""
        return [self.table.parallel(self.limits[at].slot) for at in range(self.count)]

    cdef int refuse(self, Limit *limit, int64_t now_ns) noexcept:
        """Take what a call takes, or nothing and say why."""
        cdef uint16_t *mine = self.table.mine(limit.slot)
        self.wait_ns = 0
        if limit.parallel:
            store_count(mine, mine[0] + 1)
            if self.table.parallel(limit.slot) > limit.parallel:
                self.count_out(limit)
                return PARALLEL
        if limit.tokens:
            self.wait_ns = load_time(self.table.tokens + limit.slot) - now_ns - MINUTE_NS + 1
        if self.wait_ns > 0:
            if limit.parallel:
                self.count_out(limit)
            return TOKENS
        if limit.request_ns and not self.take_request(limit, now_ns):
            if limit.parallel:
                self.count_out(limit)
            return REQUESTS
        return 0

    cdef bint take_request(self, Limit *limit, int64_t now_ns) noexcept:
        cdef int64_t *at = self.table.requests + limit.slot
        cdef int64_t full_ns = load_time(at)
        cdef int64_t after_ns
        while True:
            after_ns = max(full_ns, now_ns) + limit.request_ns
            self.wait_ns = after_ns - now_ns - MINUTE_NS
            if self.wait_ns > 0:
                return False
            if swap_time(at, &full_ns, after_ns):
                return True

    cdef void undo(self, Limit *limit) noexcept:
        """Give back what `refuse` took."""
        if limit.parallel:
            self.count_out(limit)
        if limit.request_ns:
            add_time(self.table.requests + limit.slot, -limit.request_ns)

    cdef void count_out(self, Limit *limit) noexcept:
        cdef uint16_t *mine = self.table.mine(limit.slot)
        if mine[0] > 0:
            store_count(mine, mine[0] - 1)
