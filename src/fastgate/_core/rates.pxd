"""Layout of the rate table: requests, tokens and parallel calls of everyone who has a limit, shared by all workers."""

# Layout of the file (native byte order; a run of the gateway makes it anew):
#
#   page 0        u64 lanes: how many were ever taken
#   keys          u64[SLOTS]         whose the slot is, a hash that is never 0; 0: free. Never freed again
#   requests      i64[SLOTS]         when the bucket of requests is full again, monotonic ns
#   tokens        i64[SLOTS]         the same of tokens
#   lanes         u16[LANES][SLOTS]  calls in flight of each slot, a lane a worker; only its owner writes a lane
#
# A bucket holds one minute's worth and fills steadily. It is one number, so one compare-and-swap takes from it, from
# whichever worker: what requests are let through is exact. Calls in flight are counted in before they are compared,
# so two workers at once may both be refused the last place, never both get it.

from libc.stdint cimport int64_t, uint16_t, uint64_t

cdef enum:
    SLOT_COUNT = 1 << 16
    LANE_COUNT = 256
    HEAD_SIZE = 4096
    LIMITS = 3              # of one call: its key, its user, its team

cdef struct Limit:
    int slot
    int64_t request_ns      # between two requests at the steady rate; 0: no limit
    int64_t tokens          # a minute; 0: no limit
    int64_t parallel        # 0: no limit


cdef class RateTable:
    cdef void *base
    cdef uint64_t *lanes
    cdef uint64_t *keys
    cdef int64_t *requests
    cdef int64_t *tokens
    cdef uint16_t *in_flight
    cdef readonly int lane

    cdef int slot(self, uint64_t key) noexcept
    cdef uint16_t *mine(self, int slot) noexcept
    cdef int64_t parallel(self, int slot) noexcept


cdef class Gate:
    cdef RateTable table
    cdef Limit limits[LIMITS]
    cdef int count
    cdef readonly int64_t wait_ns   # how long the limit that refused stays so; 0 where nobody can say

    cdef int refuse(self, Limit *limit, int64_t now_ns) noexcept
    cdef bint take_request(self, Limit *limit, int64_t now_ns) noexcept
    cdef void undo(self, Limit *limit) noexcept
    cdef void count_out(self, Limit *limit) noexcept
