"""Bytes that are being made: a growing room, and the codes that frames are made of: CRC-32, base64, JSON's escapes.

Knows nothing of what the bytes mean.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset, strlen

from fastgate._core.span cimport Span, byte_t

__all__ = ["checksum"]

cdef enum:
    KEPT = 65536  # a room larger than this is given back once it is empty


def checksum(bytes data not None, uint32_t crc=0):
    """CRC-32 as in zlib, from Python."""
    return crc32(crc, <const byte_t*>data, len(data))


# Slices of the reflected polynomial 0xEDB88320: eight bytes a step.
cdef uint32_t[8][256] TABLE


cdef void fill_table() noexcept:
    cdef uint32_t crc
    cdef int i, k, _bit
    for i in range(256):
        crc = <uint32_t>i
        for _bit in range(8):
            crc = (crc >> 1) ^ (<uint32_t>0xEDB88320 if crc & 1 else <uint32_t>0)
        TABLE[0][i] = crc
    for i in range(256):
        for k in range(1, 8):
            TABLE[k][i] = (TABLE[k - 1][i] >> 8) ^ TABLE[0][TABLE[k - 1][i] & 0xFF]


fill_table()


cdef uint32_t crc32(uint32_t crc, const byte_t* p, Py_ssize_t n) noexcept nogil:
    crc = ~crc
    while n >= 8:
        crc ^= <uint32_t>p[0] | <uint32_t>p[1] << 8 | <uint32_t>p[2] << 16 | <uint32_t>p[3] << 24
        crc = (
            TABLE[7][crc & 0xFF] ^ TABLE[6][(crc >> 8) & 0xFF] ^ TABLE[5][(crc >> 16) & 0xFF] ^ TABLE[4][crc >> 24]
            ^ TABLE[3][p[4]] ^ TABLE[2][p[5]] ^ TABLE[1][p[6]] ^ TABLE[0][p[7]]
        )
        p += 8
        n -= 8
    while n > 0:
        crc = (crc >> 8) ^ TABLE[0][(crc ^ p[0]) & 0xFF]
        p += 1
        n -= 1
    return ~crc


# ---- Growing bytes --------------------------------------------------------------------------------------------------

cdef int reserve(Room* to, Py_ssize_t more) except -1:
    """Make room for `more` bytes after those that are there."""
    cdef Py_ssize_t wanted = to.n + more
    cdef byte_t* moved
    if wanted <= to.room:
        return 0
    wanted = max(wanted, to.room * 2, <Py_ssize_t>1024)
    moved = <byte_t*>PyMem_Realloc(to.p, <size_t>wanted)
    if moved == NULL:
        raise MemoryError()
    to.p, to.room = moved, wanted
    return 0


cdef int put(Room* to, const void* p, Py_ssize_t n) except -1:
    reserve(to, n)
    if n:
        memcpy(to.p + to.n, p, <size_t>n)
        to.n += n
    return 0


cdef int put_word(Room* to, const char* word) except -1:
    return put(to, word, <Py_ssize_t>strlen(word))


cdef bytes taken(Room* out):
    """All of it, as bytes; the room is empty after."""
    cdef bytes all_of_it = PyBytes_FromStringAndSize(<const char*>out.p, out.n) if out.n else b""
    out.n = 0
    if out.room > KEPT:
        free_room(out)
    return all_of_it


cdef void free_room(Room* room) noexcept:
    PyMem_Free(room.p)
    room.p = NULL
    room.n = room.room = 0


# ---- Base64 (RFC 4648, with padding, nothing else) ------------------------------------------------------------------

cdef const byte_t* ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
cdef byte_t[256] SEXTET


cdef void fill_sextets() noexcept:
    cdef int i
    memset(SEXTET, 0xFF, 256)
    for i in range(64):
        SEXTET[ALPHABET[i]] = <byte_t>i


fill_sextets()


cdef bint put_decoded(Room* out, const byte_t* p, Py_ssize_t n) except -1:
    """Append what the base64 text says, line ends as spaces; False, with nothing appended, where it is none."""
    cdef byte_t a, b, c, d
    cdef byte_t* to
    cdef byte_t* start
    cdef Py_ssize_t i, padding = 0
    if n == 0 or n % 4:
        return False
    if p[n - 1] == c"=":
        padding = 2 if p[n - 2] == c"=" else 1
    reserve(out, n // 4 * 3)
    start = to = out.p + out.n
    b = c = 0
    for i in range(0, n, 4):
        a, b = SEXTET[p[i]], SEXTET[p[i + 1]]
        c, d = SEXTET[p[i + 2]], SEXTET[p[i + 3]]
        if i == n - 4 and padding:
            c = c if padding == 1 else 0
            d = 0
        if (a | b | c | d) & 0xC0:
            return False
        to[0] = <byte_t>(a << 2 | b >> 4)
        to[1] = <byte_t>((b & 0x0F) << 4 | c >> 2)
        to[2] = <byte_t>((c & 0x03) << 6 | d)
        to += 3
    if padding and (c & 0x03 if padding == 1 else b & 0x0F):
        return False  # bits that the padding says are not there
    to -= padding
    out.n += to - start
    blank_line_ends(start, to)
    return True


cdef void blank_line_ends(byte_t* p, byte_t* end) noexcept nogil:
    """JSON has line ends only between its tokens; in an event's data they would end the line."""
    while p < end:
        if p[0] == c"\n" or p[0] == c"\r":
            p[0] = c" "
        p += 1


cdef int put_encoded(Room* out, const byte_t* p, Py_ssize_t n) except -1:
    cdef byte_t* to
    cdef byte_t b, c
    cdef Py_ssize_t i = 0
    reserve(out, (n + 2) // 3 * 4)
    to = out.p + out.n
    while i < n:
        b = p[i + 1] if i + 1 < n else 0
        c = p[i + 2] if i + 2 < n else 0
        to[0] = ALPHABET[p[i] >> 2]
        to[1] = ALPHABET[(p[i] & 0x03) << 4 | b >> 4]
        to[2] = ALPHABET[(b & 0x0F) << 2 | c >> 6] if i + 1 < n else <byte_t>c"="
        to[3] = ALPHABET[c & 0x3F] if i + 2 < n else <byte_t>c"="
        to += 4
        i += 3
    out.n = to - out.p
    return 0


cdef int put_text(Room* out, Span text) except -1:
    """The text as the inside of a JSON string."""
    cdef byte_t* hexadecimal = b"0123456789abcdef"
    cdef byte_t* to
    cdef byte_t c
    cdef Py_ssize_t i
    reserve(out, text.n * 6)
    to = out.p + out.n
    for i in range(text.n):
        c = text.p[i]
        if c < 0x20:
            memcpy(to, b"\\u00", 4)
            to[4], to[5] = hexadecimal[c >> 4], hexadecimal[c & 0x0F]
            to += 6
            continue
        if c == c'"' or c == c"\\":
            to[0] = c"\\"
            to += 1
        to[0] = c
        to += 1
    out.n = to - out.p
    return 0
