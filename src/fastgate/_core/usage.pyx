"""What a provider said a response used. Owns the merge of usage objects into disjoint token classes.

Knows nothing of streams or prices: `meter` finds the objects, `money` prices the result. Usage objects are cumulative,
so a field that is present replaces the earlier figure and an absent (or null) one keeps it. Nothing is ever added, with
one exception: the provider bills compaction and advisor iterations but leaves them out of its top-level sums.

Cumulative figures do not fall. Where an object states a smaller prompt in all its classes together than an earlier one,
or less output than an earlier final one, the larger figure stays: what was seen is charged. The output that a stream
opens with is a guess, which the first final count replaces. Nor do uses of the provider's tools fall, one by one, nor
does a word that makes a response dearer unsay itself. What falls is `malformed`.

A field that is present but unusable (negative, fractional, a string, beyond 2^53) is never taken as zero: it is left as
it was and the whole is marked `malformed`.
"""

cimport cython
from libc.stdint cimport int64_t

from fastgate._core.span cimport (
    Cursor,
    Span,
    Text,
    count_in,
    is_null,
    next_item,
    next_member,
    open_array,
    open_object,
    skip_space,
    skip_value,
    text_is,
    text_of,
)

# The largest count taken: 2^53, beyond which JSON readers disagree on integers (RFC 8259 section 6).
cdef int64_t COUNT_LIMIT = <int64_t>1 << 53

# A figure that was not stated.
cdef enum:
    ABSENT = -1

cdef enum:
    CLASS_INPUT = 0
    CLASS_OUTPUT = 1
    CLASS_WRITE_5M = 2
    CLASS_WRITE_1H = 3
    CLASS_READ = 4
    CLASS_COUNT = 5

# How an iteration's tokens are billed, by its type.
cdef enum:
    ITERATION_INCLUDED = 0  # in the top-level sums already, or not known
    ITERATION_APART = 1  # the same model, not in the sums
    ITERATION_OTHER_MODEL = 2  # another model, not in the sums


# The counts of one usage object as stated.
cdef struct Stated:
    int64_t input
    int64_t output
    int64_t read
    int64_t written
    int64_t written_5m
    int64_t written_1h
    bint unusable


cdef inline void take_count(Span value, int64_t* figure, bint* unusable) noexcept:
    """One count field into its figure; null is absent."""
    cdef int64_t count
    if is_null(value):
        return
    count = count_in(value, COUNT_LIMIT)
    if count < 0:
        unusable[0] = True
    else:
        figure[0] = count


cdef inline void take_use(Span value, int64_t* figure, bint* unusable) noexcept:
    """The same for a count that stays where it is stated smaller than before."""
    cdef int64_t before = figure[0]
    take_count(value, figure, unusable)
    if figure[0] < before:
        figure[0] = before
        unusable[0] = True


cdef void read_split(Span value, Stated* stated) noexcept:
    """`cache_creation`: what was written, by time to live."""
    cdef Cursor cursor
    cdef Text key
    cdef Span member
    if is_null(value):
        return
    if not open_object(value, &cursor):
        stated.unusable = True
        return
    while next_member(&cursor, &key, &member) == 1:
        if text_is(key, "ephemeral_5m_input_tokens", 25):
            take_count(member, &stated.written_5m, &stated.unusable)
        elif text_is(key, "ephemeral_1h_input_tokens", 25):
            take_count(member, &stated.written_1h, &stated.unusable)


cdef Stated nothing() noexcept:
    cdef Stated stated
    stated.input = stated.output = stated.read = ABSENT
    stated.written = stated.written_5m = stated.written_1h = ABSENT
    stated.unusable = False
    return stated


cdef bint read_count(Text key, Span member, Stated* stated) noexcept:
    """Whether the member is one of the token counts; then what it states."""
    if text_is(key, "input_tokens", 12):
        take_count(member, &stated.input, &stated.unusable)
    elif text_is(key, "output_tokens", 13):
        take_count(member, &stated.output, &stated.unusable)
    elif text_is(key, "cache_read_input_tokens", 23):
        take_count(member, &stated.read, &stated.unusable)
    elif text_is(key, "cache_creation_input_tokens", 27):
        take_count(member, &stated.written, &stated.unusable)
    elif text_is(key, "cache_creation", 14):
        read_split(member, stated)
    else:
        return False
    return True


cdef Stated read_counts(Span value) noexcept:
    """The token counts of one iteration, which states them as a usage object does."""
    cdef Stated stated = nothing()
    cdef Cursor cursor
    cdef Text key
    cdef Span member
    if not open_object(value, &cursor):
        stated.unusable = True
        return stated
    while next_member(&cursor, &key, &member) == 1:
        read_count(key, member, &stated)
    return stated


cdef void apply_counts(const Stated* stated, int64_t* classes) noexcept:
    """Stated counts over the classes held so far.

    Cache writes: a total without its split keeps the one-hour part it must contain and is five-minute for the rest;
    with a split, what the split leaves of the total is five-minute.
    """
    if stated.input != ABSENT:
        classes[CLASS_INPUT] = stated.input
    if stated.output != ABSENT:
        classes[CLASS_OUTPUT] = stated.output
    if stated.read != ABSENT:
        classes[CLASS_READ] = stated.read
    if stated.written_5m == ABSENT and stated.written_1h == ABSENT:
        if stated.written != ABSENT:
            classes[CLASS_WRITE_1H] = min(classes[CLASS_WRITE_1H], stated.written)
            classes[CLASS_WRITE_5M] = stated.written - classes[CLASS_WRITE_1H]
        return
    if stated.written_5m != ABSENT:
        classes[CLASS_WRITE_5M] = stated.written_5m
    if stated.written_1h != ABSENT:
        classes[CLASS_WRITE_1H] = stated.written_1h
    if stated.written != ABSENT:
        classes[CLASS_WRITE_5M] = max(classes[CLASS_WRITE_5M], stated.written - classes[CLASS_WRITE_1H])


cdef int iteration_kind(Span value) noexcept:
    """How an iteration is billed; -1 when it does not say what it is."""
    cdef Cursor cursor
    cdef Text key, word
    cdef Span member
    cdef int kind = -1
    if not open_object(value, &cursor):
        return -1
    while next_member(&cursor, &key, &member) == 1:
        if not text_is(key, "type", 4):
            continue
        if not text_of(member, &word):
            kind = -1
        elif text_is(word, "compaction", 10):
            kind = ITERATION_APART
        elif text_is(word, "advisor_message", 15):
            kind = ITERATION_OTHER_MODEL
        else:
            kind = ITERATION_INCLUDED
    return kind


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
        bint other_model=False,
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
        usage.fast, usage.us_geo, usage.priority, usage.other_model = fast, us_geo, priority, other_model
        usage.seen, usage.final, usage.malformed = seen, final, malformed
        usage.settle_classes()
        return usage

    def take(self, bytes data, *, bint final):
        """Merge one usage object given as JSON text; what is not JSON is `malformed`."""
        cdef const unsigned char* p = data
        cdef const unsigned char* end = p + len(data)
        cdef const unsigned char* after
        cdef Span value
        p = skip_space(p, end)
        after = skip_value(p, end)
        if after == NULL or skip_space(after, end) != end:
            self.malformed = True
            return
        value.p, value.n = p, after - p
        self.merge(value, final)

    cdef Usage copy(self):
        cdef Usage twin = Usage.new()
        cdef int i
        for i in range(CLASS_COUNT):
            twin.base[i] = self.base[i]
            twin.extra[i] = self.extra[i]
        twin.web_search, twin.web_fetch, twin.code_execution = self.web_search, self.web_fetch, self.code_execution
        twin.fast, twin.us_geo, twin.priority = self.fast, self.us_geo, self.priority
        twin.other_model = self.other_model
        twin.seen, twin.final, twin.malformed = self.seen, self.final, self.malformed
        twin.settle_classes()
        return twin

    cdef void merge(self, Span value, bint is_final) noexcept:
        cdef Cursor cursor
        cdef Text key
        cdef Span member
        cdef Stated stated = nothing()
        cdef Sums before
        if is_null(value):
            return
        before = self.sums()
        self.seen = True
        if not open_object(value, &cursor):
            self.malformed = True
            return
        while next_member(&cursor, &key, &member) == 1:
            if read_count(key, member, &stated) or is_null(member):
                continue
            if text_is(key, "server_tool_use", 15):
                self.take_uses(member)
            elif text_is(key, "iterations", 10):
                self.take_iterations(member)
            elif text_is(key, "speed", 5):
                self.take_word(member, "fast", 4, &self.fast)
            elif text_is(key, "inference_geo", 13):
                self.take_word(member, "us", 2, &self.us_geo)
            elif text_is(key, "service_tier", 12):
                self.take_word(member, "priority", 8, &self.priority)
        if stated.unusable:
            self.malformed = True
        apply_counts(&stated, self.base)
        if is_final and stated.output != ABSENT:
            self.final = True
        self.keep_larger(&before)
        self.settle_classes()

    cdef Sums sums(self) noexcept:
        cdef Sums sums
        cdef int i
        sums.final = self.final
        for i in range(CLASS_COUNT):
            sums.base[i], sums.extra[i] = self.base[i], self.extra[i]
        return sums

    cdef void keep_larger(self, const Sums* before) noexcept:
        """Output and prompt as they were before an object that states less of them."""
        cdef int64_t output = 0, prompt = 0
        cdef int i
        for i in range(CLASS_COUNT):
            if i == CLASS_OUTPUT:
                output += self.base[i] + self.extra[i] - before.base[i] - before.extra[i]
            else:
                prompt += self.base[i] + self.extra[i] - before.base[i] - before.extra[i]
        if not before.final:
            output = 0
        for i in range(CLASS_COUNT):
            if (output if i == CLASS_OUTPUT else prompt) < 0:
                self.base[i], self.extra[i] = before.base[i], before.extra[i]
        if output < 0 or prompt < 0:
            self.malformed = True

    cdef void take_word(self, Span value, const char* word, Py_ssize_t n, bint* flag) noexcept:
        """A string that makes the response dearer when it is `word`."""
        cdef Text text
        if text_of(value, &text) and (text_is(text, word, n) or not flag[0]):
            flag[0] = text_is(text, word, n)
        else:
            self.malformed = True

    cdef void take_uses(self, Span value) noexcept:
        """`server_tool_use`: uses of tools that the provider ran."""
        cdef Cursor cursor
        cdef Text key
        cdef Span member
        if not open_object(value, &cursor):
            self.malformed = True
            return
        while next_member(&cursor, &key, &member) == 1:
            if text_is(key, "web_search_requests", 19):
                take_use(member, &self.web_search, &self.malformed)
            elif text_is(key, "web_fetch_requests", 18):
                take_use(member, &self.web_fetch, &self.malformed)
            elif text_is(key, "code_execution_requests", 23):
                take_use(member, &self.code_execution, &self.malformed)

    cdef void take_iterations(self, Span value) noexcept:
        """`iterations`: the whole list is stated anew each time, so its sums start from nothing."""
        cdef Cursor cursor
        cdef Span item
        cdef Stated stated
        cdef int64_t classes[CLASS_COUNT]
        cdef int kind, i
        if not open_array(value, &cursor):
            self.malformed = True
            return
        self.other_model = False
        for i in range(CLASS_COUNT):
            self.extra[i] = 0
        while next_item(&cursor, &item) == 1:
            kind = iteration_kind(item)
            if kind < 0:
                self.malformed = True
            if kind <= ITERATION_INCLUDED:
                continue
            stated = read_counts(item)
            if stated.unusable:
                self.malformed = True
            self.other_model = self.other_model or kind == ITERATION_OTHER_MODEL
            for i in range(CLASS_COUNT):
                classes[i] = 0
            apply_counts(&stated, classes)
            for i in range(CLASS_COUNT):
                if classes[i] > COUNT_LIMIT - self.extra[i]:
                    self.malformed = True
                else:
                    self.extra[i] += classes[i]

    cdef void raise_output(self, int64_t tokens) noexcept:
        if self.output_tokens < tokens:
            self.base[CLASS_OUTPUT] = tokens - self.extra[CLASS_OUTPUT]
            self.settle_classes()

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
            self.fast, self.us_geo, self.priority, self.other_model, self.seen, self.final, self.malformed,
        )

    def __eq__(self, other):
        if not isinstance(other, Usage):
            return NotImplemented
        return self.public_fields() == (<Usage>other).public_fields()

    __hash__ = None

    def __repr__(self):
        names = (
            "input_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens",
            "web_search", "web_fetch", "code_execution", "fast", "us_geo", "priority", "other_model", "seen", "final",
            "malformed",
        )
        shown = [f"{name}={value}" for name, value in zip(names, self.public_fields(), strict=True) if value]
        return f"Usage({', '.join(shown)})"
