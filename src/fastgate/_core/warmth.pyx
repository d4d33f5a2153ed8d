"""The warmth table: which prefix of which conversation is warm in which endpoint's prompt cache, and until when.

Owns the file (warmth.pxd has its layout) and what one finished call teaches. Learns from stated usage alone: what was
read from a cache and what was written to it. Knows no prices and no endpoints; a place is a number of its caller's.
"""

cimport cython
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap

from fastgate._core.usage cimport Usage

import contextlib
import errno
import fcntl
import os

__all__ = [
    "BYTES_PER_TOKEN", "CLASS_NAMES", "DEFAULT_SLOTS", "FIVE_MINUTES_NS", "HOUR_NS", "OUTPUT_FIRST", "PACE_MAX_MS",
    "Conversation", "WarmthTable", "hash_of",
]

cdef extern from *:
    """
    #define FASTGATE_ORDERED() __asm__ __volatile__("" ::: "memory")

    /* Multiply and fold: one round of the table's hash, 64 bits in, 64 bits out. */
    static inline uint64_t fg_fold(uint64_t a, uint64_t b) {
        const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15), other = UINT64_C(0xD1B54A32D192ED03);
        unsigned __int128 product = (unsigned __int128)(a ^ odd) * (b ^ other);
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    void ordered "FASTGATE_ORDERED"() noexcept nogil
    uint64_t fold "fg_fold"(uint64_t a, uint64_t b) noexcept nogil

VERSION = 1

DEFAULT_SLOTS = 1 << 15
"""Conversations remembered, 8 MiB. Two hundred developers begin some 6,000 in an hour, sub-agents included, and an hour
is as long as a prompt cache lasts."""

MAX_SLOTS = 1 << 22

HOUR_NS = 3_600_000_000_000
FIVE_MINUTES_NS = 300_000_000_000
"""Lives of a cache entry (Anthropic, prompt caching): counted anew from each use."""

CLASS_NAMES = ("", "main", "subagent", "workflow", "compaction", "auxiliary")
"""Request classes as Claude Code's hint headers name them; what is not named here counts as unnamed."""

OUTPUT_FIRST = 400
"""Output tokens of a call of whose class nothing was ever seen: a tool call with a sentence before it."""

PACE_MAX_MS = 600_000
"""A longer silence is a pause, not the pace of work."""

BYTES_PER_TOKEN = 4
"""Of a conversation whose first answer is still to come (English and code run at 2.3 to 4.5)."""

cdef int64_t LIFE_NS = 300_000_000_000
cdef int64_t LONG_LIFE_NS = 3_600_000_000_000
cdef int64_t PACE_MAX = 600_000
cdef int64_t MS = 1_000_000
cdef int64_t UINT32 = <int64_t>0xFFFFFFFF
cdef tuple CLASS_TUPLE = CLASS_NAMES


cdef inline uint64_t hash_text(uint64_t seed, str text) except? 0:
    """Eight bytes a round; the length closes it, so no text is another's beginning."""
    cdef Py_ssize_t size, left
    cdef const char *p = PyUnicode_AsUTF8AndSize(text, &size)
    cdef uint64_t word
    left = size
    while left >= 8:
        memcpy(&word, p, 8)
        seed = fold(seed ^ word, seed)
        p += 8
        left -= 8
    if left:
        word = 0
        memcpy(&word, p, <size_t>left)
        seed = fold(seed ^ word, seed)
    return fold(seed, <uint64_t>size + 1)


def hash_of(str text not None) -> int:
    """A number for a name, the same in every process and release: whatever picks by chance picks by it."""
    return hash_text(0, text) >> 1


cdef inline int class_of(str name) noexcept:
    cdef int at
    if not name:
        return 0
    for at in range(1, CLASSES):
        if name == <str>CLASS_TUPLE[at]:
            return at
    return 0


cdef inline int64_t life_left(int64_t until_ns, int64_t now_ns, int64_t life_ns) noexcept nogil:
    """What is left of an end, 0 once it is over, or where the clock was set back and it makes no sense."""
    cdef int64_t left = until_ns - now_ns
    return left if 0 < left <= life_ns else 0


cdef inline uint32_t in32(int64_t value) noexcept nogil:
    return <uint32_t>(UINT32 if value > UINT32 else value if value > 0 else 0)


@cython.final
cdef class WarmthTable:
    """The mapped file, shared by all workers and kept over restarts. Made by `WarmthTable.open`."""

    def __init__(self):
        raise TypeError("use WarmthTable.open(...)")

    def __dealloc__(self):
        if self.header is not NULL:
            munmap(self.header, self.mapped_bytes)

    @staticmethod
    def open(path, int slots=DEFAULT_SLOTS):
        """Map the table at `path`; made anew where it is none, or one of another version or size.

        Its disk space is taken when it is made: a store into a mapped hole on a full disk would kill the worker.
        """
        if not WAYS <= slots <= MAX_SLOTS or slots & (slots - 1):
            raise ValueError(f"slots must be a power of two in {WAYS}..{MAX_SLOTS}, got {slots}")
        name = os.fspath(path)
        cdef size_t size = HEADER_SIZE + <size_t>slots * sizeof(Slot)
        lock = os.open(f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fd = fitting(name, size, slots)
            if fd < 0:
                fd = made(name, size, slots)
        finally:
            os.close(lock)
        cdef WarmthTable table = WarmthTable.__new__(WarmthTable)
        cdef void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        os.close(fd)
        if base == MAP_FAILED:
            raise OSError(errno.ENOMEM, "the warmth table cannot be mapped", name)
        table.header = <Header *>base
        table.first = <Slot *>(<char *>base + HEADER_SIZE)
        table.sets = <uint64_t>slots // WAYS
        table.mapped_bytes = size
        return table

    cdef uint64_t who_is(self, str key, str session, str agent) except? 0:
        cdef uint64_t who = hash_text(hash_text(hash_text(self.header.seed, key), session), agent)
        return who if who else 1

    cdef Slot *seek(self, uint64_t who) noexcept:
        cdef Slot *slot = self.first + who % self.sets * WAYS
        cdef int way
        for way in range(WAYS):
            if slot[way].who == who:
                return slot + way
        return NULL

    cdef Slot *take(self, uint64_t who) noexcept:
        """The slot of a conversation, or the one in its set that was unused for longest, emptied."""
        cdef Slot *slot = self.seek(who)
        cdef Slot *oldest
        cdef int way
        if slot is not NULL:
            return slot
        slot = self.first + who % self.sets * WAYS
        oldest = slot
        for way in range(WAYS):
            if slot[way].who == 0:
                oldest = slot + way
                break
            if slot[way].used_ns < oldest.used_ns:
                oldest = slot + way
        oldest.who = 0
        ordered()
        memset(oldest, 0, sizeof(Slot))
        ordered()
        oldest.who = who
        return oldest

    cpdef Conversation find(self, str key, str session, str agent):
        """What is known of a conversation, as it is now; None where nothing is."""
        cdef uint64_t who = self.who_is(key, session, agent)
        cdef Slot *slot = self.seek(who)
        cdef Conversation known
        if slot is NULL:
            return None
        known = Conversation.__new__(Conversation)
        memcpy(&known.slot, slot, sizeof(Slot))
        known.seed = self.header.seed
        return known if slot.who == who else None

    cpdef int64_t expected_output(self, Conversation known, str request_class) except? -1:
        """Output tokens of the next call of that class: the conversation's mean, else everybody's."""
        cdef int at = class_of(request_class)
        if known is not None and known.slot.output[at]:
            return known.slot.output[at]
        return self.header.output[at] if self.header.output[at] else OUTPUT_FIRST

    cpdef int learn(
        self, str key, str session, str agent, str request_class, uint64_t place, str model, int64_t system_bytes,
        int64_t body_bytes, int64_t now_ns, Usage usage
    ) except -1:
        """An answer came from `place` to a call that began at `now_ns`. `usage` is None where it was not stated whole:
        then only the place is learned."""
        cdef Slot *slot = self.take(self.who_is(key, session, agent))
        cdef int64_t interval_ms = (now_ns - slot.used_ns) // MS
        cdef int64_t prompt, cached
        cdef int at
        if slot.used_ns and 0 < interval_ms <= PACE_MAX:
            slot.pace_ms = in32((3 * <int64_t>slot.pace_ms + interval_ms + 3) // 4 if slot.pace_ms else interval_ms)
        if now_ns > slot.used_ns or slot.used_ns - now_ns > LONG_LIFE_NS:
            slot.used_ns = now_ns
        slot.home = place
        if usage is None:
            return 0
        cached = usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        prompt = usage.input_tokens + cached
        slot.body_bytes, slot.prompt_tokens = in32(body_bytes), in32(prompt)
        if cached:  # a title or a search without a cache says nothing of the conversation's other calls
            slot.flags = CACHES
        slot.flags = slot.flags & ~<uint32_t>US_GEO | (US_GEO if usage.us_geo else 0)
        at = class_of(request_class)
        slot.output[at] = mean(slot.output[at], usage.output_tokens, 8)
        self.header.output[at] = mean(self.header.output[at], usage.output_tokens, 64)
        if cached:
            warm_up(slot, prefix_id(self.header.seed, place, model, system_bytes), usage, now_ns)
        return 0

    def close(self):
        """Unmap. The file stays: what it knows is worth as much after a restart."""
        if self.header is not NULL:
            munmap(self.header, self.mapped_bytes)
            self.header = NULL
            self.first = NULL


cdef inline uint32_t mean(uint32_t before, int64_t value, int64_t span) noexcept nogil:
    """A running mean over about `span` values, at least 1; the first value is its own mean."""
    if value <= 0:
        return before
    if before == 0:
        return in32(value)
    return in32(((span - 1) * <int64_t>before + value + span - 1) // span)


cdef inline uint64_t prefix_id(uint64_t seed, uint64_t place, str model, int64_t system_bytes) except? 0:
    """A prompt cache is an endpoint's, for one model, and the system prompt stands at its beginning. The prompt's
    length stands for it: clients before 2.1.181 change five characters of it with every request, which the provider
    leaves out, while a title, a search or a sub-agent has another altogether."""
    cdef uint64_t found = hash_text(fold(seed ^ place, <uint64_t>system_bytes), model)
    return found if found else 1


cdef inline int64_t end_of(Prefix *prefix) noexcept nogil:
    return prefix.until_ns if prefix.until_ns > prefix.hour_until_ns else prefix.hour_until_ns


cdef void warm_up(Slot *slot, uint64_t prefix, Usage usage, int64_t now_ns) noexcept:
    """What was read and what was written is warm now. A part that lives for an hour stands before one that lives for
    five minutes (Anthropic, prompt caching), so whatever was read before an hour's write lives for an hour too."""
    cdef int64_t read = usage.cache_read_tokens, hour = usage.cache_write_1h_tokens
    cdef int64_t whole = read + hour + usage.cache_write_5m_tokens
    cdef Prefix *at = slot.prefixes
    cdef int each
    for each in range(PREFIXES):
        if slot.prefixes[each].id == prefix:
            at = slot.prefixes + each
            break
        if end_of(slot.prefixes + each) < end_of(at):
            at = slot.prefixes + each
    if at.id != prefix:
        memset(at, 0, sizeof(Prefix))
    if hour:
        at.hour_tokens = in32(read + hour)
        slot.flags |= HOUR
    elif life_left(at.hour_until_ns, now_ns, LONG_LIFE_NS):
        at.hour_tokens = in32(at.hour_tokens if at.hour_tokens < whole else whole)
        if usage.cache_write_5m_tokens == 0:
            slot.flags |= HOUR
    else:
        at.hour_tokens = 0
    at.hour_until_ns = now_ns + LONG_LIFE_NS if at.hour_tokens else 0
    at.tokens = in32(whole)
    at.until_ns = now_ns + LIFE_NS
    at.id = prefix


@cython.final
cdef class Conversation:
    """What was known of one conversation when it was looked up. Times are wall nanoseconds, counts are tokens."""

    def __init__(self):
        raise TypeError("a Conversation is found by WarmthTable.find")

    @property
    def home(self):
        """The place its last answer came from."""
        return self.slot.home

    @property
    def used_ns(self):
        """When its last call began."""
        return self.slot.used_ns

    @property
    def pace_ms(self):
        """Mean time between its calls, 0 where it is not known."""
        return self.slot.pace_ms

    @property
    def learned(self):
        """Whether an answer has stated its usage yet."""
        return self.slot.prompt_tokens != 0

    @property
    def caches(self):
        """Whether its requests are written to the prompt cache; `hour`: for an hour."""
        return (self.slot.flags & CACHES) != 0

    @property
    def hour(self):
        return (self.slot.flags & HOUR) != 0

    @property
    def us_geo(self):
        return (self.slot.flags & US_GEO) != 0

    cdef Prefix *prefix(self, uint64_t place, str model, int64_t system_bytes) except? NULL:
        cdef uint64_t wanted = prefix_id(self.seed, place, model, system_bytes)
        cdef int each
        for each in range(PREFIXES):
            if self.slot.prefixes[each].id == wanted:
                return self.slot.prefixes + each
        return NULL

    cpdef int64_t warm(self, uint64_t place, str model, int64_t system_bytes, int64_t now_ns) except? -1:
        """Tokens of its prefix that are warm at `place` for `model`, 0 for none."""
        cdef Prefix *found = self.prefix(place, model, system_bytes)
        if found is NULL:
            return 0
        if life_left(found.until_ns, now_ns, LIFE_NS):
            return found.tokens
        return found.hour_tokens if life_left(found.hour_until_ns, now_ns, LONG_LIFE_NS) else 0

    cpdef int64_t warm_until(self, uint64_t place, str model, int64_t system_bytes, int64_t now_ns) except? -1:
        """Until when some of it is warm there, 0 where nothing is."""
        cdef Prefix *found = self.prefix(place, model, system_bytes)
        if found is NULL:
            return 0
        if found.hour_tokens and life_left(found.hour_until_ns, now_ns, LONG_LIFE_NS):
            return found.hour_until_ns
        return found.until_ns if life_left(found.until_ns, now_ns, LIFE_NS) else 0

    cpdef int64_t prompt_tokens(self, int64_t body_bytes) except? -1:
        """Tokens of a request of so many bytes, at what a token took in the last one."""
        if not self.slot.body_bytes or not self.slot.prompt_tokens:
            return -(-body_bytes // BYTES_PER_TOKEN)
        return body_bytes * self.slot.prompt_tokens // self.slot.body_bytes


cdef int fitting(str name, size_t size, int slots) except -2:
    """The open table of this version and size, -1 where there is none."""
    cdef Header header
    try:
        fd = os.open(name, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    cdef bytes raw = os.pread(fd, sizeof(Header), 0)
    if len(raw) == sizeof(Header) and <size_t>os.fstat(fd).st_size == size:
        memcpy(&header, <const char *>raw, sizeof(Header))
        if memcmp(header.magic, b"FGWARMTH", 8) == 0 and header.version == VERSION and header.slots == <uint32_t>slots:
            return fd
    os.close(fd)
    return -1


cdef int made(str name, size_t size, int slots) except -1:
    """A new, empty table in the place of whatever is there; a process that has the old one mapped keeps it."""
    cdef Header header
    cdef bytes noise = os.urandom(8)
    memset(&header, 0, sizeof(Header))
    memcpy(header.magic, b"FGWARMTH", 8)
    header.version, header.slots = VERSION, slots
    memcpy(&header.seed, <const char *>noise, 8)
    unnamed = f"{name}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(unnamed)
    fd = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.posix_fallocate(fd, 0, size)
    os.pwrite(fd, (<char *>&header)[:sizeof(Header)], 0)
    os.rename(unnamed, name)
    return fd
