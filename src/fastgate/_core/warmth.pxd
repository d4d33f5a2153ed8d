"""Layout of the warmth table: which prefix of which conversation is warm in whose prompt cache, for all workers."""

# Layout of the file (native byte order, read on the machine that wrote it):
#
#   page 0, the header                          then `slots` slots of 256 bytes, in sets of WAYS
#     0  char[8]  magic "FGWARMTH"                0  u64     who: hash of key, session and agent; 0: free; written last
#     8  u32      version                         8  i64     used_ns, wall time at which its last call began
#    12  u32      slots                          16  u64     home: the place its last answer came from
#    16  u64      seed of the hashes             24  u32     bytes of its last request
#    24  u32[6]   mean output by class           28  u32     tokens that these bytes were
#                                                32  u32     mean time between its calls, ms; 0: not known
#                                                36  u32     flags, see below
#                                                40  u32[6]  mean output by class; 0: not known
#                                                64  Prefix[6]  what is warm where
#
# No lock: a figure is one aligned store, and a slot that changes its owner is free in between. Two workers that write
# at once may lose what one of them learned; a call is then priced by what was known before, never charged by it.
# A conversation that nobody has heard of for longest makes room in its set for a new one.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastgate._core.usage cimport Usage

cdef enum:
    HEADER_SIZE = 4096
    WAYS = 8
    CLASSES = 6
    PREFIXES = 6     # of one conversation: its models times the endpoints it has met; the one that cools first leaves
    CACHES = 1       # its requests are written to the prompt cache
    HOUR = 2         # for an hour, not for five minutes
    US_GEO = 4       # it is billed for processing within the US

cdef struct Prefix:
    uint64_t id             # of place, model and length of the system prompt; 0: none
    int64_t until_ns        # wall time
    int64_t hour_until_ns   # until when the first `hour_tokens` of it are warm
    uint32_t tokens
    uint32_t hour_tokens

cdef struct Slot:
    uint64_t who
    int64_t used_ns
    uint64_t home
    uint32_t body_bytes
    uint32_t prompt_tokens
    uint32_t pace_ms
    uint32_t flags
    uint32_t output[CLASSES]
    Prefix prefixes[PREFIXES]

cdef struct Header:
    char magic[8]
    uint32_t version
    uint32_t slots
    uint64_t seed
    uint32_t output[CLASSES]


cdef class WarmthTable:
    cdef Header *header
    cdef Slot *first
    cdef uint64_t sets
    cdef size_t mapped_bytes

    cdef uint64_t who_is(self, str key, str session, str agent) except? 0
    cdef Slot *seek(self, uint64_t who) noexcept
    cdef Slot *take(self, uint64_t who) noexcept
    cpdef Conversation find(self, str key, str session, str agent)
    cpdef int64_t expected_output(self, Conversation known, str request_class) except? -1
    cpdef int learn(
        self, str key, str session, str agent, str request_class, uint64_t place, str model, int64_t system_bytes,
        int64_t body_bytes, int64_t now_ns, Usage usage
    ) except -1


cdef class Conversation:
    cdef Slot slot              # a copy: one decision sees one state
    cdef uint64_t seed

    cdef Prefix *prefix(self, uint64_t place, str model, int64_t system_bytes) except? NULL
    cpdef int64_t warm(self, uint64_t place, str model, int64_t system_bytes, int64_t now_ns) except? -1
    cpdef int64_t warm_until(self, uint64_t place, str model, int64_t system_bytes, int64_t now_ns) except? -1
    cpdef int64_t prompt_tokens(self, int64_t body_bytes) except? -1
