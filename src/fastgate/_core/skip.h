/* The byte loops that Cython cannot express.
 *
 * Contract: nothing here reads at or past `end`, needs a terminator, allocates, or knows what the bytes mean beyond
 * JSON strings and line ends. Strings are read 64 bytes a step (skip_block.h), by the widest instructions that the
 * machine at hand has: AVX2 where it is found at run time, else SSE2 on x86-64, else eight bytes at a time in an
 * integer (arm64 and the rest; FASTGATE_PORTABLE forces it, so that it can be tested anywhere).
 */
#ifndef FASTGATE_SKIP_H
#define FASTGATE_SKIP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FG_WORDS 0
#define FG_SSE2 1
#define FG_AVX2 2
#if defined(__x86_64__) && defined(__SSE2__) && !defined(FASTGATE_PORTABLE)
#define FG_BASE FG_SSE2
#include <immintrin.h>
#else
#define FG_BASE FG_WORDS
#endif

#define FG_BLOCK 64
#define FG_SHORT_STEPS 2 /* of 16 bytes: the longest names of a usage object have 27, and a call for each costs more */
#define FG_EVEN UINT64_C(0x5555555555555555)
#define FG_ONES UINT64_C(0x0101010101010101)
#define FG_TOPS UINT64_C(0x8080808080808080)

/* Where a byte of the word is `c`, its top bit; exactly (no carry between bytes). */
static inline uint64_t fg_tops_equal(uint64_t word, unsigned char c) {
    uint64_t x = word ^ (FG_ONES * c);
    return ~(((x & ~FG_TOPS) + ~FG_TOPS) | x | ~FG_TOPS);
}

/* The first line feed or carriage return, or `end`. */
static inline const unsigned char *fg_line_end(const unsigned char *p, const unsigned char *end) {
#if FG_BASE == FG_SSE2
    const __m128i feed = _mm_set1_epi8('\n'), back = _mm_set1_epi8('\r');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        int found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, feed), _mm_cmpeq_epi8(v, back)));
        if (found) return p + __builtin_ctz((unsigned)found);
    }
#else
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        if (fg_tops_equal(word, '\n') | fg_tops_equal(word, '\r')) break;
    }
#endif
    while (p < end && *p != '\n' && *p != '\r') p++;
    return p;
}

/* Why a string was refused. */
enum { FG_FINE = 0, FG_OPEN, FG_CONTROL, FG_ESCAPE, FG_SURROGATE, FG_UTF8 };

/* What was learnt of one string. `shrink` is its raw length less that of its text in UTF-8: 0 means no escape. */
typedef struct {
    size_t shrink;
    int fault;
    const unsigned char *at;
} fg_text;

static inline int fg_hex(unsigned char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number in four hexadecimal digits at `p`, or -1; needs all four before `end`. */
static inline long fg_hex4(const unsigned char *p, const unsigned char *end) {
    long code = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int digit = fg_hex(p[i]);
        if (digit < 0) return -1;
        code = code * 16 + digit;
    }
    return code;
}

static inline const unsigned char *fg_refuse(fg_text *text, int fault, const unsigned char *at) {
    text->fault = fault;
    text->at = at;
    return NULL;
}

/* Bytes that are escaped, given where backslashes are: within a run every second byte is, counted from the run's
 * start, and so is the byte after a run of odd length. Adding a start bit to its run clears the run, which tells runs
 * that start on odd places from the rest; the overflow says whether the next block's first byte is escaped. */
static inline uint64_t fg_escaped(uint64_t back, uint64_t *carry) {
    back &= ~*carry;
    uint64_t follow = (back << 1) | *carry;
    uint64_t odd_start = back & ~(back << 1) & ~FG_EVEN;
    uint64_t even_runs;
    *carry = (uint64_t)__builtin_add_overflow(odd_start, back, &even_runs);
    return follow & (FG_EVEN ^ (even_runs << 1));
}

/* What UTF-8 (RFC 3629) still expects at the start of the next block: continuation bytes, and the narrower range of the
 * second byte after E0, ED, F0 and F4. */
typedef struct { uint64_t owed, e0, ed, f0, f4; } fg_utf8;

/* One \u escape whose `u` is at `at`: how much more it shrinks than the one byte already counted, or a fault.
 * `paired` is the `u` of the low surrogate that the last high one took; a strict reader refuses any other surrogate. */
static inline int fg_unicode(const unsigned char *at, const unsigned char *end, int strict,
                             const unsigned char **paired, fg_text *text) {
    long code = fg_hex4(at + 1, end);
    if (code < 0) return FG_ESCAPE;
    if (code < 0x80) text->shrink += 4;
    else if (code < 0x800) text->shrink += 3;
    else if (code < 0xD800 || code > 0xDFFF) text->shrink += 2;
    else if (code >= 0xDC00) {
        if (at == *paired) return FG_FINE;
        if (strict) return FG_SURROGATE;
        text->shrink += 2;
    } else {
        long low = end - at > 7 && at[5] == '\\' && at[6] == 'u' ? fg_hex4(at + 7, end) : -1;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *paired = at + 6;
            text->shrink += 6;
        } else {
            if (strict) return FG_SURROGATE;
            text->shrink += 2;
        }
    }
    return FG_FINE;
}

/* Escaped bytes other than the commonest: all must be legal, and \u counts by what it stands for. */
static inline int fg_rare_escapes(const unsigned char *p, const unsigned char *end, uint64_t rare, int strict,
                                  const unsigned char **paired, fg_text *text, const unsigned char **at) {
    for (; rare; rare &= rare - 1) {
        *at = p + __builtin_ctzll(rare);
        int fault = FG_FINE;
        switch (**at) {
            case '/': case 'b': case 'f': case 'r': break;
            case 'u': fault = fg_unicode(*at, end, strict, paired, text); break;
            default: fault = FG_ESCAPE;
        }
        if (fault) return fault;
    }
    return FG_FINE;
}

#define FG_JOINED(name, kind) fg_##name##_##kind
#define FG_WITH FG_BASE
#define FG_TARGET
#define FG(name) FG_JOINED(name, base)
#include "skip_block.h"
#undef FG
#undef FG_TARGET
#undef FG_WITH

#if FG_BASE == FG_SSE2
#define FG_WITH FG_AVX2
#define FG_TARGET __attribute__((target("avx2,bmi,popcnt")))
#define FG(name) FG_JOINED(name, avx2)
#include "skip_block.h"
#undef FG
#undef FG_TARGET
#undef FG_WITH
#endif

/* The closing quote of the JSON string whose first byte after the opening quote is `p`, or NULL with the fault. `text`
 * is always set. A strict reader also refuses what is not UTF-8 and surrogates that are not a pair. */
static inline const unsigned char *fg_string_end(const unsigned char *p, const unsigned char *end, int strict,
                                                 fg_text *text) {
    text->shrink = 0;
    text->fault = FG_FINE;
    text->at = NULL;
#if FG_BASE == FG_SSE2
    const unsigned char *at = p;
    for (int step = 0; step < FG_SHORT_STEPS && end - at >= 16; step++, at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)at);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        int found = _mm_movemask_epi8(_mm_or_si128(special, _mm_cmplt_epi8(v, _mm_set1_epi8(0x20))));
        if (!found) continue;
        at += __builtin_ctz((unsigned)found);
        if (*at == '"') return at;
        break; /* read again from its beginning: of two faults in a block of 64 the same is told by all */
    }
#endif
#if FG_BASE == FG_SSE2
    if (__builtin_cpu_supports("avx2")) return fg_string_long_avx2(p, end, strict, text);
#endif
    return fg_string_long_base(p, end, strict, text);
}

/* Copies up to the first backslash or `end`, not a byte more; how many. In code one comes every twenty bytes. */
static inline size_t fg_copy_plain(const unsigned char *p, const unsigned char *end, unsigned char *out) {
    const unsigned char *start = p;
#if FG_BASE == FG_SSE2
    const __m128i back = _mm_set1_epi8('\\');
    for (; end - p >= 16; p += 16, out += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        int found = _mm_movemask_epi8(_mm_cmpeq_epi8(v, back));
        if (!found) {
            _mm_storeu_si128((__m128i *)out, v);
            continue;
        }
        size_t n = (size_t)__builtin_ctz((unsigned)found);
        if (n >= 8) {
            memcpy(out, p, 8);
            memcpy(out + n - 8, p + n - 8, 8);
        } else {
            for (size_t i = 0; i < n; i++) out[i] = p[i];
        }
        return (size_t)(p - start) + n;
    }
#endif
    while (p < end && *p != '\\') *out++ = *p++;
    return (size_t)(p - start);
}

/* The bytes of a string that fg_string_end accepted, unescaped to UTF-8 at `out` (room: n less shrink); their number.
 * A surrogate that is not a pair becomes its three bytes. */
static inline size_t fg_unescape(const unsigned char *p, size_t n, unsigned char *out) {
    const unsigned char *end = p + n;
    unsigned char *start = out;
    while (p < end) {
        size_t plain = fg_copy_plain(p, end, out);
        p += plain;
        out += plain;
        if (p == end) break;
        unsigned char c = p[1];
        p += 2;
        if (c != 'u') {
            *out++ = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
            continue;
        }
        long code = fg_hex4(p, end);
        p += 4;
        if (code >= 0xD800 && code < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
            long low = fg_hex4(p + 2, end);
            if (low >= 0xDC00 && low <= 0xDFFF) {
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                p += 6;
            }
        }
        if (code < 0x80) *out++ = (unsigned char)code;
        else if (code < 0x800) *out++ = (unsigned char)(0xC0 | (code >> 6));
        else if (code < 0x10000) *out++ = (unsigned char)(0xE0 | (code >> 12));
        else *out++ = (unsigned char)(0xF0 | (code >> 18));
        if (code >= 0x10000) *out++ = (unsigned char)(0x80 | ((code >> 12) & 0x3F));
        if (code >= 0x800) *out++ = (unsigned char)(0x80 | ((code >> 6) & 0x3F));
        if (code >= 0x80) *out++ = (unsigned char)(0x80 | (code & 0x3F));
    }
    return (size_t)(out - start);
}

#define FG_PRIME ((UINT64_C(1) << 61) - 1)

/* (sum * by + word) modulo 2^61 - 1; sum and by are below it. */
static inline uint64_t fg_step(uint64_t sum, uint64_t by, uint64_t word) {
    __uint128_t product = (__uint128_t)sum * by + word;
    sum = (uint64_t)(product & FG_PRIME) + (uint64_t)(product >> 61);
    return sum >= FG_PRIME ? sum - FG_PRIME : sum;
}

/* A number below 2^61 - 1 from all `n` bytes: the value of a polynomial, whose coefficients are the bytes, at a secret
 * point, then spread over all bits by a second secret. Whoever does not know them cannot choose strings that meet more
 * often than by chance (Carter and Wegman), so a table on it cannot be made slow from outside. */
static inline uint64_t fg_digest(const unsigned char *p, size_t n, uint64_t point, uint64_t spread) {
    uint64_t sum = n;
    for (; n >= 7; n -= 7, p += 7) {
        uint64_t word = 0;
        memcpy(&word, p, 7);
        sum = fg_step(sum, point, word);
    }
    uint64_t word = 0;
    memcpy(&word, p, n);
    return fg_step(fg_step(sum, point, word), spread, 0);
}

#endif
