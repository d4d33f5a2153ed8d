"""Layout of the flight table: which calls of one worker are in flight, in a file that outlives the worker."""

# Layout of the file (native byte order, read on the machine that wrote it):
#
#   page 0, the header                          then `slots` slots of SLOT_BYTES
#     0  char[8]  magic "FGFLIGHT"                0  u8      state: 0 free, 1 taken; written last
#     8  u32      version                         1  u8      area: bit 0 the note in force, above it the attempt
#    12  u32      slot_bytes                      4  u32     flags of the usage (2 u8: the attempt they are of)
#    16  u32      slots                           8  u64     n, the call's number in its epoch
#    20  u32      pid                            16  i64     at_ns, wall time of the call's start
#    24  char[12] epoch                          24  u32[2]  length of each note
#    36  u32      calls: all, told by the worker 32  u32[2]  CRC32C of each note, followed by n and at_ns
#    40  i64      started_ns                     40  i64[9]  live: LIVE_* below
#    48  u64      in_flight: taken slots        128  char[2][NOTE_BYTES]  the notes
#    56  u64      generation
#    64  u64[..]  epochs of those who recover it (journal/flight.py), up to the end of the page
#
# A kill can fall between any two stores. A slot becomes taken by the last store of `claim` and free by the first of
# `release`; `amend` writes the note that is not in force, then `area`: one store puts the note in force and declares
# the figures those of another attempt, whose cost is in the note. Live figures are single aligned stores: each is the
# old or the new one, and `live_of` is the last of an attempt's first ones. Attempts count from 1, so that of the first
# too none is sent before them. A dead process's stores reach the page cache in program order, so a compiler barrier is
# all the ordering it takes; nobody reads slots before the lock on the file has proved the worker dead.
# A loss of power is another matter: only what the kernel had written back is there, hence the checksum.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastgate._core.usage cimport Usage

cdef enum:
    HEADER_SIZE = 4096
    # Five ids of 128 bytes, the price and every other field clipped fit; a slot is then 3 KiB.
    NOTE_SIZE = 1472

cdef struct Header:
    char magic[8]
    uint32_t version
    uint32_t slot_bytes
    uint32_t slots
    uint32_t pid
    char epoch[12]
    uint32_t calls
    int64_t started_ns
    uint64_t in_flight
    uint64_t generation

cdef struct Slot:
    uint8_t state
    uint8_t area
    uint8_t live_of
    uint8_t _pad
    uint32_t flags
    uint64_t n
    int64_t at_ns
    uint32_t note_bytes[2]
    uint32_t note_crc[2]
    int64_t live[9]
    char _reserved[16]
    char notes[2][NOTE_SIZE]


cdef class FlightTable:
    cdef Header *header
    cdef Slot *first
    cdef int *free              # stack of free slots
    cdef int free_count
    cdef int count              # 0 once closed
    cdef size_t mapped_bytes
    cdef int fd                 # holds the lock
    cdef readonly str path
    cdef readonly str epoch

    cpdef int claim(self, uint64_t n, int64_t at_ns, bytes blob) except -2
    cpdef object amend(self, int slot, bytes blob)
    cpdef object release(self, int slot)
    cpdef object note_usage(self, int slot, Usage usage, int64_t output_bytes)
    cdef void note(self, int slot, Usage usage, int64_t output_bytes) noexcept
    cdef int put(self, Slot *slot, int area, bytes blob) except -1
    cdef Slot *taken(self, int slot) except NULL
