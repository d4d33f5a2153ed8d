"""What a provider said a response used. Owns the merge of usage objects into disjoint token classes.

Knows nothing of streams or prices: `meter` finds the objects, `money` prices the result. Usage objects are cumulative,
so a field that is present replaces the earlier figure and an absent one keeps it; nothing is ever added, except the
compaction iterations, which the provider bills but leaves out of its top-level sums.
"""

cimport cython
from libc.stdint cimport int64_t

# The largest count taken: 2^53, beyond which JSON readers disagree on integers (RFC 8259 section 6).
cdef int64_t COUNT_LIMIT = <int64_t>1 << 53

cdef enum:
    CLASS_INPUT = 0
    CLASS_OUTPUT = 1
    CLASS_WRITE_5M = 2
    CLASS_WRITE_1H = 3
    CLASS_READ = 4
    CLASS_COUNT = 5


cdef int64_t count_of(str name, int64_t value) except -1:
    """`value` if it is a possible count, else ValueError naming the field."""
    if value < 0 or value > COUNT_LIMIT:
        raise ValueError(f"{name} is {value}, not a count from 0 to 2^53")
    return value


@cython.final
@cython.freelist(64)
cdef class Usage:
    """Token classes and price multipliers of one response; see usage.pxd for each field."""

    def __init__(self):
        raise TypeError("a Usage is made by Usage.of or by a Meter")

    @staticmethod
    cdef Usage new():
        return Usage.__new__(Usage)

    @staticmethod
    def of(
        *,
        int64_t input_tokens=0,
        int64_t output_tokens=0,
        int64_t cache_write_5m_tokens=0,
        int64_t cache_write_1h_tokens=0,
        int64_t cache_read_tokens=0,
        int64_t web_search=0,
        int64_t web_fetch=0,
        int64_t code_execution=0,
        bint fast=False,
        bint us_geo=False,
        bint priority=False,
        bint seen=True,
        bint final=True,
        bint malformed=False,
    ):
        """A Usage with these figures; ValueError for a negative count or one beyond 2^53."""
        cdef Usage usage = Usage.new()
        usage.base[CLASS_INPUT] = count_of("input_tokens", input_tokens)
        usage.base[CLASS_OUTPUT] = count_of("output_tokens", output_tokens)
        usage.base[CLASS_WRITE_5M] = count_of("cache_write_5m_tokens", cache_write_5m_tokens)
        usage.base[CLASS_WRITE_1H] = count_of("cache_write_1h_tokens", cache_write_1h_tokens)
        usage.base[CLASS_READ] = count_of("cache_read_tokens", cache_read_tokens)
        usage.web_search = count_of("web_search", web_search)
        usage.web_fetch = count_of("web_fetch", web_fetch)
        usage.code_execution = count_of("code_execution", code_execution)
        usage.fast, usage.us_geo, usage.priority = fast, us_geo, priority
        usage.seen, usage.final, usage.malformed = seen, final, malformed
        usage.settle_classes()
        return usage

    cdef Usage copy(self):
        cdef Usage twin = Usage.new()
        cdef int i
        for i in range(CLASS_COUNT):
            twin.base[i] = self.base[i]
            twin.extra[i] = self.extra[i]
        twin.web_search, twin.web_fetch, twin.code_execution = self.web_search, self.web_fetch, self.code_execution
        twin.fast, twin.us_geo, twin.priority = self.fast, self.us_geo, self.priority
        twin.seen, twin.final, twin.malformed = self.seen, self.final, self.malformed
        twin.settle_classes()
        return twin

    cdef void settle_classes(self) noexcept:
        """The public classes from the top-level figures and the iterations that those leave out."""
        self.input_tokens = self.base[CLASS_INPUT] + self.extra[CLASS_INPUT]
        self.output_tokens = self.base[CLASS_OUTPUT] + self.extra[CLASS_OUTPUT]
        self.cache_write_5m_tokens = self.base[CLASS_WRITE_5M] + self.extra[CLASS_WRITE_5M]
        self.cache_write_1h_tokens = self.base[CLASS_WRITE_1H] + self.extra[CLASS_WRITE_1H]
        self.cache_read_tokens = self.base[CLASS_READ] + self.extra[CLASS_READ]

    cdef tuple public_fields(self):
        return (
            self.input_tokens, self.output_tokens, self.cache_write_5m_tokens, self.cache_write_1h_tokens,
            self.cache_read_tokens, self.web_search, self.web_fetch, self.code_execution,
            self.fast, self.us_geo, self.priority, self.seen, self.final, self.malformed,
        )

    def __eq__(self, other):
        if not isinstance(other, Usage):
            return NotImplemented
        return self.public_fields() == (<Usage>other).public_fields()

    __hash__ = None

    def __repr__(self):
        names = (
            "input_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens",
            "web_search", "web_fetch", "code_execution", "fast", "us_geo", "priority", "seen", "final", "malformed",
        )
        shown = [f"{name}={value}" for name, value in zip(names, self.public_fields(), strict=True) if value]
        return f"Usage({', '.join(shown)})"
