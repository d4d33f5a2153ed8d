/* Where in a text an escape or a seam within a word may begin, for peel.pyx: sixteen bytes a step where the machine has
 * SSE2 (all of x86-64), else byte by byte. Reads nothing before `begin`, and nothing at `end` or behind it.
 */
#ifndef FASTGATE_JOINT_H
#define FASTGATE_JOINT_H

#include "skip.h"

/* What `classes` says of a byte. */
enum { FG_OF_A_KEY = 1, FG_MAY_JOIN = 2 };

/* An escape may stand anywhere; a seam lies within a word: most line ends and quotes are behind something else. */
static inline int fg_may_join(const unsigned char *begin, const unsigned char *p, const unsigned char *classes) {
    if (classes[*p] != FG_MAY_JOIN) return 0;
    return *p == '\\' || *p == '%' || *p == '&' || (p > begin && classes[p[-1]] == FG_OF_A_KEY);
}

#if FG_BASE == FG_SSE2
static inline __m128i fg_from_to(__m128i v, char first, char last) {
    __m128i past = _mm_sub_epi8(v, _mm_set1_epi8(first)), most = _mm_set1_epi8((char)(last - first));
    return _mm_cmpeq_epi8(_mm_min_epu8(past, most), past);
}

static inline __m128i fg_either(__m128i v, char a, char b) {
    return _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(a)), _mm_cmpeq_epi8(v, _mm_set1_epi8(b)));
}

/* The places of sixteen bytes that fg_may_join says yes to; `within`: whether the byte before them is of a key. */
static inline unsigned fg_joints(__m128i v, unsigned *within) {
    __m128i lower = _mm_or_si128(v, _mm_set1_epi8(0x20));
    __m128i key = _mm_or_si128(fg_from_to(v, '0', '9'), fg_from_to(lower, 'a', 'z'));
    key = _mm_or_si128(key, _mm_or_si128(fg_either(v, '_', '+'), fg_either(v, '/', '-')));
    __m128i escape = _mm_or_si128(fg_either(v, '%', '&'), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    __m128i seam = _mm_or_si128(fg_either(v, '\r', '\n'), fg_either(v, '"', '\''));
    seam = _mm_or_si128(seam, fg_either(v, '`', (char)0xC2));
    seam = _mm_or_si128(seam, fg_either(v, (char)0xE2, (char)0xEF));
    unsigned keys = (unsigned)_mm_movemask_epi8(key);
    unsigned found = (unsigned)_mm_movemask_epi8(seam) & (keys << 1 | *within);
    *within = keys >> 15;
    return found | (unsigned)_mm_movemask_epi8(escape);
}
#endif

/* The first such place from `p` on, or `end`. `classes`: what the bytes are (FG_OF_A_KEY, FG_MAY_JOIN). */
static inline const unsigned char *fg_next_joint(const unsigned char *begin, const unsigned char *p,
                                                 const unsigned char *end, const unsigned char *classes) {
#if FG_BASE == FG_SSE2
    unsigned within = p > begin && classes[p[-1]] == FG_OF_A_KEY;
    for (; end - p >= 16; p += 16) {
        unsigned found = fg_joints(_mm_loadu_si128((const __m128i *)p), &within);
        if (found) return p + __builtin_ctz(found);
    }
#endif
    while (p < end && !fg_may_join(begin, p, classes)) p++;
    return p;
}

#endif
