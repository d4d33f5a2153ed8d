/* CRC32C (Castagnoli, reflected polynomial 0x82F63B78), as RFC 3720 B.4 defines it.
 *
 * Contract: reads exactly `size` bytes, allocates nothing. `fg_crc_init` must have run once in the including module.
 * x86-64 with SSE4.2 (found at run time) and arm64 with the CRC extension (known at compile time) use the processor's
 * own instruction, eight bytes a step; the rest use eight tables of 1 KiB (slicing by eight).
 */
#ifndef FASTGATE_CRC_H
#define FASTGATE_CRC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && !defined(FASTGATE_PORTABLE)
#include <nmmintrin.h>
#define FG_CRC_X86 1
#elif defined(__ARM_FEATURE_CRC32) && !defined(FASTGATE_PORTABLE)
#include <arm_acle.h>
#define FG_CRC_ARM 1
#endif

static uint32_t fg_crc_tables[8][256];
static int fg_crc_wide;

static void fg_crc_init(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (UINT32_C(0x82F63B78) & (0u - (crc & 1u)));
        fg_crc_tables[0][byte] = crc;
    }
    for (int table = 1; table < 8; table++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = fg_crc_tables[table - 1][byte];
            fg_crc_tables[table][byte] = (crc >> 8) ^ fg_crc_tables[0][crc & 0xFF];
        }
#if FG_CRC_X86
    __builtin_cpu_init();
    fg_crc_wide = __builtin_cpu_supports("sse4.2") != 0;
#endif
}

static uint32_t fg_crc_by_table(uint32_t crc, const unsigned char *p, size_t size) {
    for (; size >= 8; p += 8, size -= 8) {
        crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        crc = fg_crc_tables[7][crc & 0xFF] ^ fg_crc_tables[6][crc >> 8 & 0xFF] ^ fg_crc_tables[5][crc >> 16 & 0xFF] ^
              fg_crc_tables[4][crc >> 24] ^ fg_crc_tables[3][p[4]] ^ fg_crc_tables[2][p[5]] ^ fg_crc_tables[1][p[6]] ^
              fg_crc_tables[0][p[7]];
    }
    while (size--) crc = (crc >> 8) ^ fg_crc_tables[0][(crc ^ *p++) & 0xFF];
    return crc;
}

#if FG_CRC_X86
__attribute__((target("sse4.2"))) static uint32_t fg_crc_by_word(uint32_t crc, const unsigned char *p, size_t size) {
    uint64_t wide = crc;
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    while (size--) crc = _mm_crc32_u8(crc, *p++);
    return crc;
}
#elif FG_CRC_ARM
static uint32_t fg_crc_by_word(uint32_t crc, const unsigned char *p, size_t size) {
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        crc = __crc32cd(crc, word);
    }
    while (size--) crc = __crc32cb(crc, *p++);
    return crc;
}
#endif

/* The checksum of `size` bytes that follow what `crc` is the checksum of (0 for nothing). */
static inline uint32_t fg_crc32c(uint32_t crc, const void *data, size_t size) {
    crc = ~crc;
#if FG_CRC_ARM
    return ~fg_crc_by_word(crc, (const unsigned char *)data, size);
#else
#if FG_CRC_X86
    if (fg_crc_wide) return ~fg_crc_by_word(crc, (const unsigned char *)data, size);
#endif
    return ~fg_crc_by_table(crc, (const unsigned char *)data, size);
#endif
}

#endif
