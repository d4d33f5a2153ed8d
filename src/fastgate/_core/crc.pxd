"""CRC32C for the modules that frame bytes (crc.h). Each calls `fg_crc_init` once when it is imported."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

cdef extern from "crc.h" nogil:
    void fg_crc_init() noexcept
    uint32_t fg_crc32c(uint32_t crc, const void *data, size_t size) noexcept
    uint32_t fg_crc_by_table(uint32_t crc, const unsigned char *p, size_t size) noexcept
