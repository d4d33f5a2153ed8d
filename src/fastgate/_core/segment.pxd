from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastgate._core.crc cimport fg_crc32c

cdef extern from *:
    """
    #ifndef FG_FRAME
    #define FG_FRAME
    #include <stdint.h>
    /* journal/format.py: little-endian, as every machine is that this runs on. */
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "the journal's records are little-endian"
    #endif
    typedef struct __attribute__((packed)) {
        uint32_t length;
        uint32_t crc;
        uint8_t version;
        uint8_t kind;
        uint16_t node;
        uint64_t epoch;
        uint64_t sequence;
    } FgFrame;
    #endif
    """
    ctypedef struct FgFrame:
        uint32_t length
        uint32_t crc
        unsigned char version
        unsigned char kind
        uint16_t node
        uint64_t epoch
        uint64_t sequence

cdef enum:
    LEAD = 8    # length and crc
    STAMP = 20  # version to sequence


cdef inline bint is_next(
    const char *data, Py_ssize_t size, uint64_t epoch, uint64_t sequence, FgFrame *frame
) noexcept nogil:
    """Whether `data` begins with a whole record of this epoch and number, with a right checksum; `frame` is its."""
    if size < LEAD + STAMP:
        return False
    memcpy(frame, data, LEAD + STAMP)
    if frame.epoch != epoch or frame.sequence != sequence or frame.length < STAMP:
        return False
    return frame.length <= size - LEAD and fg_crc32c(0, data + LEAD, frame.length) == frame.crc
