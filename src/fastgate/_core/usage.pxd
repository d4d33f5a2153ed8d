"""What a provider said a response used: layout shared with `money` (price x usage) and `meter` (who fills it).

The token classes are disjoint: a token is counted in exactly one of them, so a price is a plain sum of products.
Lifetime: a Usage owns no memory but its own fields; spans passed to `merge` are not kept.
"""

from libc.stdint cimport int64_t

from fastgate._core.span cimport Span

# A Usage's figures before an object is merged.
cdef struct Sums:
    int64_t base[5]
    int64_t extra[5]
    bint final


cdef class Usage:
    # Disjoint classes, in tokens. `input_tokens` is the uncached part only; output includes thinking.
    cdef readonly int64_t input_tokens
    cdef readonly int64_t output_tokens
    cdef readonly int64_t cache_write_5m_tokens
    cdef readonly int64_t cache_write_1h_tokens
    cdef readonly int64_t cache_read_tokens
    # Server tools, in uses.
    cdef readonly int64_t web_search
    cdef readonly int64_t web_fetch
    cdef readonly int64_t code_execution
    # What multiplies the price.
    cdef readonly bint fast
    cdef readonly bint us_geo
    cdef readonly bint priority
    # Some of the tokens were another model's (an advisor's): they are counted in the classes, but its prices differ.
    cdef readonly bint other_model
    # seen: any usage object came. final: a message_delta or a full message stated the output. malformed: something
    # was present but unusable, so the figures are at best a lower bound.
    cdef readonly bint seen
    cdef readonly bint final
    cdef readonly bint malformed
    # The top-level figures and the sums of compaction iterations (which top-level figures leave out), kept apart so
    # that a later cumulative object replaces each and never adds twice. Order: CLASS_* in usage.pyx.
    cdef int64_t base[5]
    cdef int64_t extra[5]

    @staticmethod
    cdef Usage new()

    cdef Usage copy(self)

    # Takes one usage object (checked JSON), cumulative: what is present replaces, what is absent stays; prompts and
    # final output never fall.
    cdef void merge(self, Span value, bint is_final) noexcept

    # Raises the output class to at least `tokens`.
    cdef void raise_output(self, int64_t tokens) noexcept
    cdef void take_uses(self, Span value) noexcept
    cdef void take_iterations(self, Span value) noexcept
    cdef void take_word(self, Span value, const char* word, Py_ssize_t n, bint* flag) noexcept
    cdef Sums sums(self) noexcept
    cdef void keep_larger(self, const Sums* before) noexcept
    cdef void settle_classes(self) noexcept
    cdef tuple public_fields(self)
