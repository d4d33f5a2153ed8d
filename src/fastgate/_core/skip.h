/* The byte loops that Cython cannot express: 64 bytes a step, as bit masks.
 *
 * Contract: nothing here reads at or past `end`, needs a terminator, allocates, or knows what the bytes mean beyond JSON
 * strings and line ends. A block of 64 bytes becomes one 64-bit mask per question (bit i answers for byte i), so the
 * logic below is plain integer arithmetic and is the same on every machine; only the making of masks differs: SSE2, or
 * eight bytes a step in an integer (arm64 and the rest; FASTGATE_PORTABLE forces it, so that it can be tested anywhere).
 */
#ifndef FASTGATE_SKIP_H
#define FASTGATE_SKIP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FG_BLOCK 64
#define FG_EVEN UINT64_C(0x5555555555555555)

#if defined(__SSE2__) && !defined(FASTGATE_PORTABLE)
#define FG_SSE2 1
#include <emmintrin.h>

typedef struct { __m128i part[4]; } fg_block;

static inline fg_block fg_load(const unsigned char *p) {
    fg_block block;
    for (int i = 0; i < 4; i++) block.part[i] = _mm_loadu_si128((const __m128i *)(p + 16 * i));
    return block;
}

static inline uint64_t fg_join(__m128i a, __m128i b, __m128i c, __m128i d) {
    uint64_t low = (uint32_t)_mm_movemask_epi8(a) | ((uint32_t)_mm_movemask_epi8(b) << 16);
    uint64_t high = (uint32_t)_mm_movemask_epi8(c) | ((uint32_t)_mm_movemask_epi8(d) << 16);
    return low | (high << 32);
}

static inline uint64_t fg_equal(const fg_block *block, unsigned char c) {
    const __m128i all = _mm_set1_epi8((char)c), *v = block->part;
    return fg_join(_mm_cmpeq_epi8(v[0], all), _mm_cmpeq_epi8(v[1], all), _mm_cmpeq_epi8(v[2], all),
                   _mm_cmpeq_epi8(v[3], all));
}

/* Bytes below `c` as signed numbers: 0x80..0xFF are -128..-1. */
static inline uint64_t fg_less(const fg_block *block, signed char c) {
    const __m128i all = _mm_set1_epi8(c), *v = block->part;
    return fg_join(_mm_cmplt_epi8(v[0], all), _mm_cmplt_epi8(v[1], all), _mm_cmplt_epi8(v[2], all),
                   _mm_cmplt_epi8(v[3], all));
}

#else

typedef struct { uint64_t part[8]; } fg_block;

#define FG_ONES UINT64_C(0x0101010101010101)
#define FG_TOPS UINT64_C(0x8080808080808080)

static inline fg_block fg_load(const unsigned char *p) {
    fg_block block;
    memcpy(block.part, p, FG_BLOCK);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (int i = 0; i < 8; i++) block.part[i] = __builtin_bswap64(block.part[i]);
#endif
    return block;
}

/* The top bit of each byte, gathered into eight bits: the product puts bit 8k+7 at bit 56+k and nothing carries. */
static inline uint64_t fg_gather(uint64_t tops) { return ((tops >> 7) * UINT64_C(0x0102040810204080)) >> 56; }

static inline uint64_t fg_equal(const fg_block *block, unsigned char c) {
    uint64_t mask = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t x = block->part[i] ^ (FG_ONES * c);
        uint64_t tops = ~(((x & ~FG_TOPS) + ~FG_TOPS) | x | ~FG_TOPS);
        mask |= fg_gather(tops) << (8 * i);
    }
    return mask;
}

/* Bytes below `c` as signed numbers: with the top bits turned, signed order is unsigned order. */
static inline uint64_t fg_less(const fg_block *block, signed char c) {
    const uint64_t y = (FG_ONES * (unsigned char)c) ^ FG_TOPS;
    uint64_t mask = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t x = block->part[i] ^ FG_TOPS;
        uint64_t rest = (x | FG_TOPS) - (y & ~FG_TOPS);
        mask |= fg_gather(((~x & y) | (~(x ^ y) & ~rest)) & FG_TOPS) << (8 * i);
    }
    return mask;
}
#endif

/* The first line feed or carriage return, or `end`. */
static inline const unsigned char *fg_line_end(const unsigned char *p, const unsigned char *end) {
#ifdef FG_SSE2
    const __m128i feed = _mm_set1_epi8('\n'), back = _mm_set1_epi8('\r');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        int found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, feed), _mm_cmpeq_epi8(v, back)));
        if (found) return p + __builtin_ctz((unsigned)found);
    }
#else
    for (; end - p >= FG_BLOCK; p += FG_BLOCK) {
        fg_block block = fg_load(p);
        uint64_t found = fg_equal(&block, '\n') | fg_equal(&block, '\r');
        if (found) return p + __builtin_ctzll(found);
    }
#endif
    while (p < end && *p != '\n' && *p != '\r') p++;
    return p;
}

/* Why a string was refused. */
enum { FG_FINE = 0, FG_OPEN, FG_CONTROL, FG_ESCAPE, FG_SURROGATE, FG_UTF8 };

/* What was learnt of one string. `shrink` is its raw length less its length once unescaped to UTF-8: 0 means no escape. */
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

/* Bytes that are escaped, given where backslashes are: within a run every second byte is, counted from the run's start,
 * and so is the byte after a run of odd length. Adding a start bit to its run clears the run, which tells runs that start
 * on odd places from the rest; the overflow says whether the next block's first byte is escaped. */
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

/* Bits of the bytes in `inside` that break UTF-8; `beyond` gets the continuation bytes owed after the last of them. */
static inline uint64_t fg_utf8_faults(const fg_block *block, uint64_t inside, fg_utf8 *state, uint64_t *beyond) {
    uint64_t high = fg_less(block, 0) & inside;
    uint64_t cont = fg_less(block, -0x40) & inside;
    uint64_t lead = high & ~cont;
    uint64_t lead3 = lead & ~fg_less(block, -0x20);
    uint64_t need = (lead << 1) | (lead3 << 2) | state->owed;
    uint64_t owed = (lead >> 63) | (lead3 >> 62);
    uint64_t faults = fg_equal(block, 0xC0) | fg_equal(block, 0xC1);
    if (lead3 | state->e0 | state->ed | state->f0 | state->f4) {
        uint64_t lead4 = lead & ~fg_less(block, -0x10);
        uint64_t below_90 = fg_less(block, -0x70), below_a0 = fg_less(block, -0x60);
        uint64_t e0 = fg_equal(block, 0xE0), ed = fg_equal(block, 0xED);
        uint64_t f0 = fg_equal(block, 0xF0), f4 = fg_equal(block, 0xF4);
        need |= lead4 << 3;
        owed |= lead4 >> 61;
        faults |= lead4 & ~fg_less(block, -0x0B);
        faults |= ((e0 << 1) | state->e0) & below_a0;
        faults |= ((ed << 1) | state->ed) & ~below_a0;
        faults |= ((f0 << 1) | state->f0) & below_90;
        faults |= ((f4 << 1) | state->f4) & ~below_90;
        state->e0 = e0 >> 63;
        state->ed = ed >> 63;
        state->f0 = f0 >> 63;
        state->f4 = f4 >> 63;
    }
    state->owed = owed;
    *beyond = need & ~inside;
    return (faults | (need ^ cont)) & inside;
}

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

/* See fg_string_end. */
static const unsigned char *fg_string_long(const unsigned char *p, const unsigned char *end, int strict,
                                           fg_text *text) {
    uint64_t carry = 0, beyond = 0;
    fg_utf8 utf8 = {0, 0, 0, 0, 0};
    const unsigned char *paired = NULL, *at = NULL;
    unsigned char tail[FG_BLOCK];
    for (;; p += FG_BLOCK) {
        uint64_t inside = ~UINT64_C(0);
        fg_block block;
        if (end - p >= FG_BLOCK) {
            block = fg_load(p);
        } else {
            if (p >= end) return fg_refuse(text, FG_OPEN, end);
            memset(tail, 0, FG_BLOCK);
            memcpy(tail, p, (size_t)(end - p));
            block = fg_load(tail);
            inside = (UINT64_C(1) << (end - p)) - 1;
        }
        uint64_t quote = fg_equal(&block, '"'), back = fg_equal(&block, '\\') & inside;
        uint64_t low = fg_less(&block, 0x20), high = fg_less(&block, 0);
        uint64_t escaped = back | carry ? fg_escaped(back, &carry) : 0;
        uint64_t close = quote & ~escaped & inside;
        if (close) inside &= (close & -close) - 1;
        escaped &= inside;
        if (low & ~high & inside) return fg_refuse(text, FG_CONTROL, p + __builtin_ctzll(low & ~high & inside));
        if (escaped) {
            uint64_t rare = escaped & ~(quote | back | fg_equal(&block, 'n') | fg_equal(&block, 't'));
            text->shrink += (size_t)__builtin_popcountll(escaped);
            int fault = rare ? fg_rare_escapes(p, end, rare, strict, &paired, text, &at) : FG_FINE;
            if (fault) return fg_refuse(text, fault, at);
        }
        if (strict && ((high & inside) | utf8.owed)) {
            uint64_t faults = fg_utf8_faults(&block, inside, &utf8, &beyond);
            if (faults) return fg_refuse(text, FG_UTF8, p + __builtin_ctzll(faults));
            if (close && beyond) return fg_refuse(text, FG_UTF8, p + __builtin_ctzll(close));
        }
        if (close) return p + __builtin_ctzll(close);
    }
}

/* The closing quote of the JSON string whose first byte after the opening quote is `p`, or NULL with the fault. `text` is
 * always set. A strict reader also refuses what is not UTF-8 and surrogates that are not a pair. */
static inline const unsigned char *fg_string_end(const unsigned char *p, const unsigned char *end, int strict,
                                                 fg_text *text) {
    text->shrink = 0;
    text->fault = FG_FINE;
    text->at = NULL;
#ifdef FG_SSE2
    if (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        int found = _mm_movemask_epi8(_mm_or_si128(special, _mm_cmplt_epi8(v, _mm_set1_epi8(0x20))));
        if (found && p[__builtin_ctz((unsigned)found)] == '"') return p + __builtin_ctz((unsigned)found);
    }
#endif
    return fg_string_long(p, end, strict, text);
}

/* The bytes of a string that fg_string_end accepted, unescaped to UTF-8 at `out` (room: n less shrink); their number.
 * A surrogate that is not a pair becomes its three bytes. */
static inline size_t fg_unescape(const unsigned char *p, size_t n, unsigned char *out) {
    const unsigned char *end = p + n;
    unsigned char *start = out;
    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
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

#endif
