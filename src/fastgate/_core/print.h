/* A print of some bytes: 64 bits that differ, by chance alone, where the bytes do. To tell what changed between two
 * requests of one client, not to prove anything: no key, no defence against who wants two texts to meet.
 *
 * Four lanes of folded 64 x 64 bit products, 64 bytes a step, so that none waits for another: a long conversation's
 * 700 KB in some 25 microseconds.
 */
#ifndef FASTGATE_PRINT_H
#define FASTGATE_PRINT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Odd numbers with as many ones as zeros: the fractions of the square roots of 2, 3, 5 and 7, last bit set. */
#define FG_PRINT_A UINT64_C(0x6a09e667f3bcc909)
#define FG_PRINT_B UINT64_C(0xbb67ae8584caa73b)
#define FG_PRINT_C UINT64_C(0x3c6ef372fe94f82b)
#define FG_PRINT_D UINT64_C(0xa54ff53a5f1d36f1)

static inline uint64_t fg_fold(uint64_t a, uint64_t b) {
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t fg_print_word(const unsigned char *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static inline uint64_t fg_print(const unsigned char *p, size_t n, uint64_t seed) {
    uint64_t one = seed ^ FG_PRINT_A, other = (uint64_t)n ^ FG_PRINT_B;
    if (n >= 64) {
        uint64_t third = FG_PRINT_C, fourth = FG_PRINT_D;
        for (; n >= 64; p += 64, n -= 64) {
            one = fg_fold(fg_print_word(p) ^ FG_PRINT_C, fg_print_word(p + 8) ^ one);
            other = fg_fold(fg_print_word(p + 16) ^ FG_PRINT_D, fg_print_word(p + 24) ^ other);
            third = fg_fold(fg_print_word(p + 32) ^ FG_PRINT_A, fg_print_word(p + 40) ^ third);
            fourth = fg_fold(fg_print_word(p + 48) ^ FG_PRINT_B, fg_print_word(p + 56) ^ fourth);
        }
        one = fg_fold(one ^ FG_PRINT_A, third ^ FG_PRINT_B);
        other = fg_fold(other ^ FG_PRINT_C, fourth ^ FG_PRINT_D);
    }
    if (n) {
        unsigned char rest[64] = {0};
        memcpy(rest, p, n);
        one = fg_fold(fg_print_word(rest) ^ FG_PRINT_C, fg_print_word(rest + 8) ^ one);
        other = fg_fold(fg_print_word(rest + 16) ^ FG_PRINT_D, fg_print_word(rest + 24) ^ other);
        if (n > 32) {
            one = fg_fold(fg_print_word(rest + 32) ^ FG_PRINT_C, fg_print_word(rest + 40) ^ one);
            other = fg_fold(fg_print_word(rest + 48) ^ FG_PRINT_D, fg_print_word(rest + 56) ^ other);
        }
    }
    return fg_fold(one ^ FG_PRINT_D, other ^ FG_PRINT_A);
}

#endif
