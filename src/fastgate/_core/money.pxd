"""Layout of a price row for the modules that price without leaving C."""

from libc.stdint cimport int64_t

from fastgate._core.usage cimport Usage


cdef extern from *:
    """
    typedef unsigned __int128 fastgate_u128;
    """
    ctypedef unsigned long long u128 "fastgate_u128"


cdef class PriceRow:
    cdef tuple kept  # ints(), once asked for
    cdef bytes kept_packed
    # Pico-dollars per token, below and above the tier.
    cdef readonly int64_t input_pico
    cdef readonly int64_t output_pico
    cdef readonly int64_t cache_write_5m_pico
    cdef readonly int64_t cache_write_1h_pico
    cdef readonly int64_t cache_read_pico
    cdef readonly int64_t tier_at
    cdef readonly int64_t input_above_pico
    cdef readonly int64_t output_above_pico
    cdef readonly int64_t cache_write_5m_above_pico
    cdef readonly int64_t cache_write_1h_above_pico
    cdef readonly int64_t cache_read_above_pico
    # Nano-dollars per use.
    cdef readonly int64_t web_search_nano
    cdef readonly int64_t web_fetch_nano
    cdef readonly int64_t code_execution_nano
    # Millionths: 1_000_000 leaves the price as it is.
    cdef readonly int64_t fast_ppm
    cdef readonly int64_t us_geo_ppm

    cpdef tuple ints(self)
    cpdef bytes packed(self)
    cpdef object cost(self, Usage usage)
    cpdef object bound(
        self, int64_t input_tokens, int64_t output_tokens, int64_t server_tool_uses=*,
        bint ttl_1h=*, bint fast=*, bint us_geo=*
    )
    cdef tuple fields(self)
    cdef int64_t cost_c(self, Usage usage) except -1
    cpdef int64_t tokens(
        self, int64_t plain, int64_t output, int64_t write_5m, int64_t write_1h, int64_t read,
        bint fast, bint us_geo
    ) except -1
    cdef u128 tokens_pico(
        self, int64_t plain, int64_t output, int64_t write_5m, int64_t write_1h, int64_t read
    ) except? 0
    cdef int64_t bound_c(
        self, int64_t input_tokens, int64_t output_tokens, int64_t server_tool_uses,
        bint ttl_1h, bint fast, bint us_geo
    ) except -1


cpdef str format_usd(int64_t nano)
