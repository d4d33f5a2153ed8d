"""Money: price times usage, exact, in int64 nano-dollars.

Owns the arithmetic and its limits. Must not know models, endpoints or where prices come from (fastgate.prices does).
A token's price is an integer of pico-dollars ($3 per million tokens is 3_000_000), so a sum over tokens is exact in
128 bits and is rounded once, up. No float is ever made.
"""

from cpython.unicode cimport PyUnicode_FromStringAndSize
from cython cimport final
from libc.stdint cimport INT64_MAX, int64_t, uint64_t

from fastgate._core.usage cimport Usage

import msgspec

cdef object encode = msgspec.msgpack.Encoder().encode

cdef extern from *:
    """
    #define fastgate_mul_overflows(a, b, out) __builtin_mul_overflow((a), (fastgate_u128)(b), (out))
    """
    bint fastgate_mul_overflows(u128 a, int64_t b, u128 *out) noexcept nogil

# $1 a token: a thousand times the dearest model ever listed. Keeps price * tokens * 5 classes under 2**106.
MAX_PRICE_PICO = 1_000_000_000_000
cdef int64_t _MAX_PRICE_PICO = 1_000_000_000_000
# $1,000 a use of a server tool.
MAX_TOOL_NANO = 1_000_000_000_000
cdef int64_t _MAX_TOOL_NANO = 1_000_000_000_000
# 1,000 times the list price; the dearest documented multiplier is 6 (fast mode of Opus 4.6).
MAX_PPM = 1_000_000_000
cdef int64_t _MAX_PPM = 1_000_000_000

cdef int64_t PPM = 1_000_000
cdef int64_t PICO_PER_NANO = 1_000
cdef int64_t NANO_PER_USD = 1_000_000_000
# Sign, 10 digits of dollars, point, 9 decimals.
cdef enum:
    USD_CHARS = 24

NO_MULTIPLIER_PPM = 1_000_000
SAME_AS_BASE = -1


cdef inline int64_t _within(str name, object value, int64_t most) except -1:
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < 0 or value > most:
        raise ValueError(f"{name} must lie in 0..{most}, got {value}")
    return value


cdef inline int64_t _above(str name, object value, int64_t base, int64_t tier_at) except -1:
    if type(value) is int and value == SAME_AS_BASE:
        return base
    if tier_at == 0:
        raise ValueError(f"{name} needs a tier: tier_at is 0")
    return _within(name, value, _MAX_PRICE_PICO)


cdef inline int64_t _dearer(int64_t a, int64_t b) noexcept nogil:
    return a if a > b else b


cdef int64_t _settle(u128 pico, int64_t fast_ppm, int64_t geo_ppm, u128 tools_nano) except -1:
    """ceil(pico * multipliers / 1000) + tools_nano; a factor of 1_000_000 is left out of both sides."""
    cdef u128 nano
    cdef u128 parts = <u128>PICO_PER_NANO
    if fast_ppm != PPM:
        parts *= <u128>PPM
        # 2**127 of these parts is 2**77 nano-dollars or more: what overflows here cannot fit below.
        if fastgate_mul_overflows(pico, fast_ppm, &pico):
            raise OverflowError("cost exceeds 2**63-1 nano-dollars")
    if geo_ppm != PPM:
        parts *= <u128>PPM
        if fastgate_mul_overflows(pico, geo_ppm, &pico):
            raise OverflowError("cost exceeds 2**63-1 nano-dollars")
    if parts == <u128>PICO_PER_NANO and pico < <u128>INT64_MAX:
        # Nearly every call: below nine million dollars and no multiplier. Division in 64 bits costs a tenth.
        nano = <u128>((<uint64_t>pico + 999) // 1000)
    else:
        nano = pico // parts
        if nano * parts != pico:
            nano += 1
    nano += tools_nano
    if nano > <u128>INT64_MAX:
        raise OverflowError("cost exceeds 2**63-1 nano-dollars")
    return <int64_t>nano


@final
cdef class PriceRow:
    """What one model costs at one kind of endpoint. Immutable; made by `PriceRow.new`."""

    def __init__(self) -> None:
        raise TypeError("use PriceRow.new(...)")

    @staticmethod
    def new(
        *,
        object input_pico,
        object output_pico,
        object cache_write_5m_pico,
        object cache_write_1h_pico,
        object cache_read_pico,
        object tier_at=0,
        object input_above_pico=SAME_AS_BASE,
        object output_above_pico=SAME_AS_BASE,
        object cache_write_5m_above_pico=SAME_AS_BASE,
        object cache_write_1h_above_pico=SAME_AS_BASE,
        object cache_read_above_pico=SAME_AS_BASE,
        object web_search_nano=0,
        object web_fetch_nano=0,
        object code_execution_nano=0,
        object fast_ppm=NO_MULTIPLIER_PPM,
        object us_geo_ppm=NO_MULTIPLIER_PPM,
    ) -> PriceRow:
        cdef PriceRow row = PriceRow.__new__(PriceRow)
        row.input_pico = _within("input_pico", input_pico, _MAX_PRICE_PICO)
        row.output_pico = _within("output_pico", output_pico, _MAX_PRICE_PICO)
        row.cache_write_5m_pico = _within("cache_write_5m_pico", cache_write_5m_pico, _MAX_PRICE_PICO)
        row.cache_write_1h_pico = _within("cache_write_1h_pico", cache_write_1h_pico, _MAX_PRICE_PICO)
        row.cache_read_pico = _within("cache_read_pico", cache_read_pico, _MAX_PRICE_PICO)
        cdef int64_t at = _within("tier_at", tier_at, INT64_MAX)
        row.tier_at = at
        row.input_above_pico = _above("input_above_pico", input_above_pico, row.input_pico, at)
        row.output_above_pico = _above("output_above_pico", output_above_pico, row.output_pico, at)
        row.cache_write_5m_above_pico = _above(
            "cache_write_5m_above_pico", cache_write_5m_above_pico, row.cache_write_5m_pico, at)
        row.cache_write_1h_above_pico = _above(
            "cache_write_1h_above_pico", cache_write_1h_above_pico, row.cache_write_1h_pico, at)
        row.cache_read_above_pico = _above("cache_read_above_pico", cache_read_above_pico, row.cache_read_pico, at)
        row.web_search_nano = _within("web_search_nano", web_search_nano, _MAX_TOOL_NANO)
        row.web_fetch_nano = _within("web_fetch_nano", web_fetch_nano, _MAX_TOOL_NANO)
        row.code_execution_nano = _within("code_execution_nano", code_execution_nano, _MAX_TOOL_NANO)
        row.fast_ppm = _within("fast_ppm", fast_ppm, _MAX_PPM)
        row.us_geo_ppm = _within("us_geo_ppm", us_geo_ppm, _MAX_PPM)
        return row

    @staticmethod
    def of_ints(tuple ints) -> PriceRow:
        """The row that `ints()` gave; what the flight table and the journal keep of a price."""
        if len(ints) != 16:
            raise ValueError(f"a price row has 16 ints, got {len(ints)}")
        tiered = ints[5] != 0
        return PriceRow.new(
            input_pico=ints[0], output_pico=ints[1], cache_write_5m_pico=ints[2], cache_write_1h_pico=ints[3],
            cache_read_pico=ints[4], tier_at=ints[5],
            input_above_pico=ints[6] if tiered else SAME_AS_BASE,
            output_above_pico=ints[7] if tiered else SAME_AS_BASE,
            cache_write_5m_above_pico=ints[8] if tiered else SAME_AS_BASE,
            cache_write_1h_above_pico=ints[9] if tiered else SAME_AS_BASE,
            cache_read_above_pico=ints[10] if tiered else SAME_AS_BASE,
            web_search_nano=ints[11], web_fetch_nano=ints[12], code_execution_nano=ints[13],
            fast_ppm=ints[14], us_geo_ppm=ints[15],
        )

    cpdef tuple ints(self):
        """The row's 16 ints in the order of its fields; made once, asked for at every call."""
        if self.kept is None:
            self.kept = self.fields()
        return self.kept

    cpdef bytes packed(self):
        """`ints()` in MessagePack; made once, as the flight table takes it from every call."""
        if self.kept_packed is None:
            self.kept_packed = encode(self.ints())
        return self.kept_packed

    cdef tuple fields(self):
        return (
            self.input_pico, self.output_pico, self.cache_write_5m_pico, self.cache_write_1h_pico,
            self.cache_read_pico, self.tier_at, self.input_above_pico, self.output_above_pico,
            self.cache_write_5m_above_pico, self.cache_write_1h_above_pico, self.cache_read_above_pico,
            self.web_search_nano, self.web_fetch_nano, self.code_execution_nano, self.fast_ppm, self.us_geo_ppm,
        )

    def __eq__(self, other: object) -> bool:
        return type(other) is PriceRow and self.ints() == (<PriceRow>other).ints()

    def __hash__(self) -> int:
        return hash(self.ints())

    def __repr__(self) -> str:
        return f"PriceRow.of_ints({self.ints()})"

    cpdef object cost(self, Usage usage):
        """Nano-dollars of one call: the exact sum, rounded up once. OverflowError above 2**63-1."""
        if usage is None:
            raise TypeError("what nobody knows has no cost")
        return self.cost_c(usage)

    cpdef object bound(
        self,
        int64_t input_tokens,
        int64_t output_tokens,
        int64_t server_tool_uses=0,
        bint ttl_1h=True,
        bint fast=True,
        bint us_geo=True,
    ):
        """Nano-dollars that no call can exceed whose prompt (cached or not) and output stay within these counts.

        `ttl_1h`, `fast` and `us_geo` say which of the dearer classes and multipliers the request can still meet.
        """
        return self.bound_c(input_tokens, output_tokens, server_tool_uses, ttl_1h, fast, us_geo)

    cdef int64_t cost_c(self, Usage usage) except -1:
        if (usage.web_search | usage.web_fetch | usage.code_execution) < 0:
            raise ValueError("negative count of server tool uses")
        cdef u128 tools = <u128>usage.web_search * <u128>self.web_search_nano
        tools += <u128>usage.web_fetch * <u128>self.web_fetch_nano
        tools += <u128>usage.code_execution * <u128>self.code_execution_nano
        return _settle(
            self.tokens_pico(
                usage.input_tokens,
                usage.output_tokens,
                usage.cache_write_5m_tokens,
                usage.cache_write_1h_tokens,
                usage.cache_read_tokens,
            ),
            self.fast_ppm if usage.fast else PPM,
            self.us_geo_ppm if usage.us_geo else PPM,
            tools,
        )

    cpdef int64_t tokens(
        self, int64_t plain, int64_t output, int64_t write_5m, int64_t write_1h, int64_t read,
        bint fast, bint us_geo
    ) except -1:
        """Nano-dollars of a call that uses so many tokens of each class and no server tool: what `cost` gives for that
        usage. For calls that are yet to be made. OverflowError above 2**63-1."""
        return _settle(
            self.tokens_pico(plain, output, write_5m, write_1h, read),
            self.fast_ppm if fast else PPM,
            self.us_geo_ppm if us_geo else PPM,
            <u128>0,
        )

    cdef u128 tokens_pico(
        self, int64_t plain, int64_t output, int64_t write_5m, int64_t write_1h, int64_t read
    ) except? 0:
        """The exact sum over the classes. Multipliers are on tokens; server tools keep their price per use."""
        if (plain | output | write_5m | write_1h | read) < 0:
            raise ValueError("negative token count")
        cdef u128 pico
        cdef u128 prompt = <u128>plain + <u128>write_5m + <u128>write_1h + <u128>read
        # The tier is a cliff: a prompt above it moves every token of the call, output included, to the dearer row.
        if self.tier_at != 0 and prompt > <u128>self.tier_at:
            pico = <u128>plain * <u128>self.input_above_pico
            pico += <u128>output * <u128>self.output_above_pico
            pico += <u128>write_5m * <u128>self.cache_write_5m_above_pico
            pico += <u128>write_1h * <u128>self.cache_write_1h_above_pico
            pico += <u128>read * <u128>self.cache_read_above_pico
        else:
            pico = <u128>plain * <u128>self.input_pico
            pico += <u128>output * <u128>self.output_pico
            pico += <u128>write_5m * <u128>self.cache_write_5m_pico
            pico += <u128>write_1h * <u128>self.cache_write_1h_pico
            pico += <u128>read * <u128>self.cache_read_pico
        return pico

    cdef int64_t bound_c(
        self, int64_t input_tokens, int64_t output_tokens, int64_t server_tool_uses,
        bint ttl_1h, bint fast, bint us_geo
    ) except -1:
        if (input_tokens | output_tokens | server_tool_uses) < 0:
            raise ValueError("negative count")
        cdef int64_t per_input = _dearer(_dearer(self.input_pico, self.cache_write_5m_pico), self.cache_read_pico)
        cdef int64_t per_output = self.output_pico
        if ttl_1h:
            per_input = _dearer(per_input, self.cache_write_1h_pico)
        if self.tier_at != 0 and input_tokens > self.tier_at:
            # The prompt may turn out shorter than the bound, so both sides of the tier are possible.
            per_input = _dearer(per_input, _dearer(self.input_above_pico, self.cache_write_5m_above_pico))
            per_input = _dearer(per_input, self.cache_read_above_pico)
            if ttl_1h:
                per_input = _dearer(per_input, self.cache_write_1h_above_pico)
            per_output = _dearer(per_output, self.output_above_pico)
        cdef int64_t per_tool = _dearer(_dearer(self.web_search_nano, self.web_fetch_nano), self.code_execution_nano)
        return _settle(
            <u128>input_tokens * <u128>per_input + <u128>output_tokens * <u128>per_output,
            _dearer(self.fast_ppm, PPM) if fast else PPM,
            _dearer(self.us_geo_ppm, PPM) if us_geo else PPM,
            <u128>server_tool_uses * <u128>per_tool,
        )


cpdef str format_usd(int64_t nano):
    """Nano-dollars as decimal dollars with nine places: 12_345_000 is "0.012345000"."""
    cdef char out[USD_CHARS]
    cdef int at = USD_CHARS
    cdef int places = 0
    cdef bint negative = nano < 0
    # Negating -2**63 is undefined; its magnitude fits the unsigned type.
    cdef unsigned long long rest = 0ULL - <unsigned long long>nano if negative else <unsigned long long>nano
    while rest != 0 or places <= 9:
        at -= 1
        out[at] = <char>(48 + rest % 10)
        rest //= 10
        places += 1
        if places == 9:
            at -= 1
            out[at] = b"."
    if negative:
        at -= 1
        out[at] = b"-"
    return PyUnicode_FromStringAndSize(&out[at], USD_CHARS - at)


def parse_usd(str text not None) -> int:
    """Decimal dollars to nano-dollars, exactly: an optional "-", digits, at most nine decimals. Nothing else."""
    digits = text[1:] if text.startswith("-") else text
    whole, point, fraction = digits.partition(".")
    if not (whole.isascii() and whole.isdigit()) or (point and not (fraction.isascii() and fraction.isdigit())):
        raise ValueError(f"not a decimal amount of dollars: {text!r}")
    if len(fraction) > 9:
        raise ValueError(f"finer than a nano-dollar: {text!r}")
    # More digits than an int64 has need no look, and int() of a very long string is slow.
    if len(whole) > 19:
        raise OverflowError(f"amount exceeds 2**63-1 nano-dollars: {text!r}")
    nano = int(whole) * NANO_PER_USD + int(fraction.ljust(9, "0"))
    if nano > INT64_MAX:
        raise OverflowError(f"amount exceeds 2**63-1 nano-dollars: {text!r}")
    return -nano if digits is not text else nano
