/* Strings, 64 bytes a step, on one kind of machine. No guard: skip.h includes this once for each kind, with
 *   FG(name)   the name of that kind's function
 *   FG_WITH    one of FG_AVX2, FG_SSE2, FG_WORDS
 *   FG_TARGET  the attribute that lets the compiler use that kind's instructions
 *
 * Bit i of a mask answers for byte i of the block. Beyond the making of masks all is plain integer arithmetic.
 */

#if FG_WITH == FG_AVX2

typedef struct { __m256i part[2]; } FG(block);

FG_TARGET static inline FG(block) FG(load)(const unsigned char *p) {
    FG(block) block;
    for (int i = 0; i < 2; i++) block.part[i] = _mm256_loadu_si256((const __m256i *)(p + 32 * i));
    return block;
}

FG_TARGET static inline uint64_t FG(join)(__m256i a, __m256i b) {
    return (uint32_t)_mm256_movemask_epi8(a) | ((uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32);
}

FG_TARGET static inline uint64_t FG(equal)(const FG(block) *block, unsigned char c) {
    const __m256i all = _mm256_set1_epi8((char)c), *v = block->part;
    return FG(join)(_mm256_cmpeq_epi8(v[0], all), _mm256_cmpeq_epi8(v[1], all));
}

/* Bytes below `c` as signed numbers: 0x80..0xFF are -128..-1. */
FG_TARGET static inline uint64_t FG(less)(const FG(block) *block, signed char c) {
    const __m256i all = _mm256_set1_epi8(c), *v = block->part;
    return FG(join)(_mm256_cmpgt_epi8(all, v[0]), _mm256_cmpgt_epi8(all, v[1]));
}

/* Bytes from 0x80. */
FG_TARGET static inline uint64_t FG(high)(const FG(block) *block) { return FG(join)(block->part[0], block->part[1]); }

#elif FG_WITH == FG_SSE2

typedef struct { __m128i part[4]; } FG(block);

FG_TARGET static inline FG(block) FG(load)(const unsigned char *p) {
    FG(block) block;
    for (int i = 0; i < 4; i++) block.part[i] = _mm_loadu_si128((const __m128i *)(p + 16 * i));
    return block;
}

FG_TARGET static inline uint64_t FG(join)(__m128i a, __m128i b, __m128i c, __m128i d) {
    uint64_t low = (uint32_t)_mm_movemask_epi8(a) | ((uint32_t)_mm_movemask_epi8(b) << 16);
    uint64_t high = (uint32_t)_mm_movemask_epi8(c) | ((uint32_t)_mm_movemask_epi8(d) << 16);
    return low | (high << 32);
}

FG_TARGET static inline uint64_t FG(equal)(const FG(block) *block, unsigned char c) {
    const __m128i all = _mm_set1_epi8((char)c), *v = block->part;
    return FG(join)(_mm_cmpeq_epi8(v[0], all), _mm_cmpeq_epi8(v[1], all), _mm_cmpeq_epi8(v[2], all),
                   _mm_cmpeq_epi8(v[3], all));
}

/* Bytes below `c` as signed numbers. */
FG_TARGET static inline uint64_t FG(less)(const FG(block) *block, signed char c) {
    const __m128i all = _mm_set1_epi8(c), *v = block->part;
    return FG(join)(_mm_cmplt_epi8(v[0], all), _mm_cmplt_epi8(v[1], all), _mm_cmplt_epi8(v[2], all),
                   _mm_cmplt_epi8(v[3], all));
}

/* Bytes from 0x80. */
FG_TARGET static inline uint64_t FG(high)(const FG(block) *block) {
    const __m128i *v = block->part;
    return FG(join)(v[0], v[1], v[2], v[3]);
}

#else

typedef struct { uint64_t part[8]; } FG(block);

FG_TARGET static inline FG(block) FG(load)(const unsigned char *p) {
    FG(block) block;
    memcpy(block.part, p, FG_BLOCK);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (int i = 0; i < 8; i++) block.part[i] = __builtin_bswap64(block.part[i]);
#endif
    return block;
}

/* The top bit of each byte, gathered into eight bits: the product puts bit 8k+7 at bit 56+k and nothing carries. */
FG_TARGET static inline uint64_t FG(gather)(uint64_t tops) {
    return ((tops >> 7) * UINT64_C(0x0102040810204080)) >> 56;
}

FG_TARGET static inline uint64_t FG(equal)(const FG(block) *block, unsigned char c) {
    uint64_t mask = 0;
    for (int i = 0; i < 8; i++) {
        mask |= FG(gather)(fg_tops_equal(block->part[i], c)) << (8 * i);
    }
    return mask;
}

/* Bytes from 0x80. */
FG_TARGET static inline uint64_t FG(high)(const FG(block) *block) {
    uint64_t mask = 0;
    for (int i = 0; i < 8; i++) mask |= FG(gather)(block->part[i] & FG_TOPS) << (8 * i);
    return mask;
}

/* Bytes below `c` as signed numbers: with the top bits turned, signed order is unsigned order. */
FG_TARGET static inline uint64_t FG(less)(const FG(block) *block, signed char c) {
    const uint64_t y = (FG_ONES * (unsigned char)c) ^ FG_TOPS;
    uint64_t mask = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t x = block->part[i] ^ FG_TOPS;
        uint64_t rest = (x | FG_TOPS) - (y & ~FG_TOPS);
        mask |= FG(gather)(((~x & y) | (~(x ^ y) & ~rest)) & FG_TOPS) << (8 * i);
    }
    return mask;
}
#endif

/* The second byte after E0 or ED (3 bytes) and F0 or F4 (4 bytes), which is bound closer than others: from A0, below
 * A0, from 90, below 90. And F5 to FF, which are in no UTF-8. */
FG_TARGET static inline uint64_t FG(utf8_bounds)(const FG(block) *block, uint64_t lead4, fg_utf8 *state) {
    uint64_t e0 = FG(equal)(block, 0xE0), ed = FG(equal)(block, 0xED), f0 = 0, f4 = 0, faults = 0;
    if (e0 | ed | state->e0 | state->ed) {
        uint64_t below_a0 = FG(less)(block, -0x60);
        faults |= ((e0 << 1) | state->e0) & below_a0;
        faults |= ((ed << 1) | state->ed) & ~below_a0;
    }
    if (lead4 | state->f0 | state->f4) {
        uint64_t below_90 = FG(less)(block, -0x70);
        f0 = FG(equal)(block, 0xF0);
        f4 = FG(equal)(block, 0xF4);
        faults |= lead4 & ~FG(less)(block, -0x0B);
        faults |= ((f0 << 1) | state->f0) & below_90;
        faults |= ((f4 << 1) | state->f4) & ~below_90;
    }
    state->e0 = e0 >> 63;
    state->ed = ed >> 63;
    state->f0 = f0 >> 63;
    state->f4 = f4 >> 63;
    return faults;
}

/* Bits of the bytes in `inside` that break UTF-8; `beyond` gets the continuation bytes owed after the last of them. */
FG_TARGET static inline uint64_t FG(utf8_faults)(const FG(block) *block, uint64_t inside, fg_utf8 *state,
                                                 uint64_t *beyond) {
    uint64_t cont = FG(less)(block, -0x40) & inside;
    uint64_t lead = FG(high)(block) & inside & ~cont;
    uint64_t lead3 = lead & ~FG(less)(block, -0x20);
    uint64_t need = (lead << 1) | (lead3 << 2) | state->owed;
    uint64_t owed = (lead >> 63) | (lead3 >> 62);
    uint64_t faults = lead & FG(less)(block, -0x3E); /* C0 and C1 */
    if (lead3 | state->e0 | state->ed | state->f0 | state->f4) {
        uint64_t lead4 = lead3 & ~FG(less)(block, -0x10);
        need |= lead4 << 3;
        owed |= lead4 >> 61;
        faults |= FG(utf8_bounds)(block, lead4, state);
    }
    state->owed = owed;
    *beyond = need & ~inside;
    return (faults | (need ^ cont)) & inside;
}

/* See fg_string_end. */
FG_TARGET static const unsigned char *FG(string_long)(const unsigned char *p, const unsigned char *end, int strict,
                                                      fg_text *text) {
    uint64_t carry = 0, beyond = 0;
    fg_utf8 utf8 = {0, 0, 0, 0, 0};
    const unsigned char *paired = NULL, *at = NULL;
    unsigned char tail[FG_BLOCK];
    for (;; p += FG_BLOCK) {
        uint64_t inside = ~UINT64_C(0);
        FG(block) block;
        if (end - p >= FG_BLOCK) {
            block = FG(load)(p);
        } else {
            if (p >= end) return fg_refuse(text, FG_OPEN, end);
            memset(tail, 0, FG_BLOCK);
            memcpy(tail, p, (size_t)(end - p));
            block = FG(load)(tail);
            inside = (UINT64_C(1) << (end - p)) - 1;
        }
        uint64_t quote = FG(equal)(&block, '"'), back = FG(equal)(&block, '\\') & inside;
        uint64_t low = FG(less)(&block, 0x20), high = FG(high)(&block);
        uint64_t escaped = back | carry ? fg_escaped(back, &carry) : 0;
        uint64_t close = quote & ~escaped & inside;
        if (close) inside &= (close & -close) - 1;
        escaped &= inside;
        if (low & ~high & inside) return fg_refuse(text, FG_CONTROL, p + __builtin_ctzll(low & ~high & inside));
        if (escaped) {
            uint64_t rare = escaped & ~(quote | back | FG(equal)(&block, 'n') | FG(equal)(&block, 't'));
            text->shrink += (size_t)__builtin_popcountll(escaped);
            int fault = rare ? fg_rare_escapes(p, end, rare, strict, &paired, text, &at) : FG_FINE;
            if (fault) return fg_refuse(text, fault, at);
        }
        if (strict && ((high & inside) | utf8.owed)) {
            uint64_t faults = FG(utf8_faults)(&block, inside, &utf8, &beyond);
            if (faults) return fg_refuse(text, FG_UTF8, p + __builtin_ctzll(faults));
            if (close && beyond) return fg_refuse(text, FG_UTF8, p + __builtin_ctzll(close));
        }
        if (close) return p + __builtin_ctzll(close);
    }
}
