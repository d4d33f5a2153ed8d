"""Whether a text may hold what one of many patterns looks for; how: prefilter.pxd."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastgate._core.peel cimport Peeled, peeled_of
from fastgate._core.span cimport byte_t

cdef extern from *:
    int __builtin_ctzll(unsigned long long) noexcept

WINDOW_MAX = MOST
"""Bytes of the longest window."""
GRAM_BYTES = GRAM
GRAM_WAYS = WAYS
NEAR_BYTES = NEAR
PREFILTERED_BYTES = TEXT_MOST

cdef enum:
    GRAM = 4  # bytes
    WAYS = 64  # grams that one window may add
    CASE = 0x20202020  # what makes letters small; other signs that it makes alike are told apart by the window
    SLOT_BITS = 12
    SLOTS = 1 << SLOT_BITS
    CLASS_BYTES = 32
    GROUPS = 64
    INDEX_MAX = 65_535

cdef uint32_t SPREAD = 0x9E3779B1  # 2^32 over the golden ratio (Knuth, The Art of Computer Programming, 6.4)


cdef inline uint32_t gram_at(const byte_t* p) noexcept:
    cdef uint32_t gram
    memcpy(&gram, p, GRAM)
    return gram | CASE


cdef inline uint32_t slot_of(uint32_t gram) noexcept:
    return (gram * SPREAD) >> (32 - SLOT_BITS)


cdef inline uint32_t word_of(uint32_t hashed) noexcept:
    return hashed >> 22


cdef inline uint64_t bits_of(uint32_t hashed) noexcept:
    """Two bits of a word."""
    return (<uint64_t>1 << (hashed >> 16 & 63)) | (<uint64_t>1 << (hashed >> 10 & 63))


cdef list spelt(bytes given):
    """The bytes of a class, letters small."""
    return sorted({code | 0x20 for code in range(256) if given[code >> 3] >> (code & 7) & 1})


cdef list grams_of(list window, Py_ssize_t at):
    """The ways to write the four bytes of a window from `at` on; none where they are too many."""
    cdef list ways = [0], spellings
    if at + GRAM > len(window):
        return []
    for shift in range(GRAM):
        spellings = spelt(window[at + shift])
        if len(ways) * len(spellings) > WAYS:
            return []
        ways = [way | code << 8 * shift for way in ways for code in spellings]
    return ways


@cython.final
cdef class Prefilter:
    """See prefilter.pxd."""

    def __init__(self):
        raise TypeError("a Prefilter is made by Prefilter.of")

    def __dealloc__(self):
        PyMem_Free(self.classes)
        PyMem_Free(self.windows)
        PyMem_Free(self.entries)
        PyMem_Free(self.starts)
        PyMem_Free(self.grouped)

    @staticmethod
    def of(list windows not None):
        cdef Prefilter made = Prefilter.__new__(Prefilter)
        cdef list classes = sorted({given for _, *window in windows for given in window})
        cdef list entries = [], near = [], grams
        if len(classes) > INDEX_MAX or len(windows) > INDEX_MAX:
            raise ValueError(f"a prefilter has at most {INDEX_MAX} windows and classes")
        made.take(classes, windows)
        for index, (at, *window) in enumerate(windows):
            if not 0 <= at < len(window):
                raise ValueError("a gram begins within its window")
            grams = grams_of(window, at)
            if grams:
                entries.extend([(slot_of(gram), gram, index, at) for gram in grams])
            else:
                near.append((window[at:at + NEAR], index, at))
        made.fill(sorted(entries), sorted(near))
        return made

    cdef int take(self, list classes, list windows) except -1:
        """The windows and their classes, as they are compared."""
        cdef dict numbers = {given: number for number, given in enumerate(classes)}
        cdef Py_ssize_t i, k
        self.count = len(windows)
        self.classes = <unsigned char*>PyMem_Calloc(len(classes) + 1, CLASS_BYTES)
        self.windows = <Window*>PyMem_Calloc(self.count + 1, sizeof(Window))
        if self.classes == NULL or self.windows == NULL:
            raise MemoryError()
        for i in range(len(classes)):
            if len(classes[i]) != CLASS_BYTES:
                raise ValueError(f"a class has {CLASS_BYTES} bytes")
            memcpy(self.classes + i * CLASS_BYTES, PyBytes_AS_STRING(classes[i]), CLASS_BYTES)
        for i in range(self.count):
            _, *window = windows[i]
            if not 1 <= len(window) <= MOST:
                raise ValueError(f"a window has 1 to {MOST} bytes")
            self.windows[i].size = <uint32_t>len(window)
            for k in range(len(window)):
                self.windows[i].given[k] = <uint16_t>numbers[window[k]]
        return 0

    cdef int fill(self, list entries, list near) except -1:
        """The tables that point to the windows."""
        cdef Py_ssize_t i, k, code
        cdef uint32_t slot = 0, hashed
        cdef Py_ssize_t group, last = -1
        self.entries = <Entry*>PyMem_Calloc(len(entries) + 1, sizeof(Entry))
        self.starts = <uint32_t*>PyMem_Calloc(SLOTS + 1, sizeof(uint32_t))
        self.grouped = <Entry*>PyMem_Calloc(len(near) + 1, sizeof(Entry))
        if self.entries == NULL or self.starts == NULL or self.grouped == NULL:
            raise MemoryError()
        self.entry_n = <uint32_t>len(entries)
        for i in range(len(entries)):
            while slot <= <uint32_t>entries[i][0]:
                self.starts[slot] = <uint32_t>i
                slot += 1
            self.entries[i].gram = <uint32_t>entries[i][1]
            self.entries[i].window = <uint16_t>entries[i][2]
            self.entries[i].at = <uint16_t>entries[i][3]
            hashed = self.entries[i].gram * SPREAD
            self.blooms[word_of(hashed)] |= bits_of(hashed)
        while slot <= SLOTS:
            self.starts[slot] = self.entry_n
            slot += 1
        for i in range(len(near)):
            group = i * GROUPS // len(near)  # in order, so that those that begin alike share one
            while last < group:
                last += 1
                self.groups[last] = <uint32_t>i
            self.grouped[i].window, self.grouped[i].at = <uint16_t>near[i][1], <uint16_t>near[i][2]
            window = near[i][0]
            for k in range(NEAR):
                for code in range(256):
                    if k >= len(window) or window[k][code >> 3] >> (code & 7) & 1:
                        self.near[k][code] |= <uint64_t>1 << group
        while last < GROUPS:
            last += 1
            self.groups[last] = <uint32_t>len(near)
        return 0

    cdef bint stands(self, const Entry* entry, const byte_t* begin, const byte_t* p, const byte_t* end) noexcept:
        """Whether the entry's window is in the text, its gram at `p`."""
        cdef const Window* wanted = &self.windows[entry.window]
        cdef uint32_t k
        if p - begin < entry.at or end - p + entry.at < <Py_ssize_t>wanted.size:
            return False
        p -= entry.at
        for k in range(wanted.size):
            if not self.classes[wanted.given[k] * CLASS_BYTES + (p[k] >> 3)] >> (p[k] & 7) & 1:
                return False
        return True

    cdef bint has_gram(self, uint32_t gram, const byte_t* begin, const byte_t* p, const byte_t* end) noexcept:
        cdef uint32_t slot = slot_of(gram)
        cdef uint32_t i
        for i in range(self.starts[slot], self.starts[slot + 1]):
            if self.entries[i].gram == gram and self.stands(&self.entries[i], begin, p, end):
                return True
        return False

    cdef bint has_near(self, uint64_t groups, const byte_t* begin, const byte_t* p, const byte_t* end) noexcept:
        cdef uint32_t i
        cdef int group
        while groups:
            group = __builtin_ctzll(groups)
            groups &= groups - 1
            for i in range(self.groups[group], self.groups[group + 1]):
                if self.stands(&self.grouped[i], begin, p, end):
                    return True
        return False

    cdef bint search(self, const byte_t* p, Py_ssize_t n) noexcept:
        cdef const byte_t* begin = p
        cdef const byte_t* end = p + n
        cdef uint32_t gram, hashed
        cdef uint64_t bits, groups
        while end - p >= GRAM:
            gram = gram_at(p)
            hashed = gram * SPREAD
            bits = bits_of(hashed)
            if self.blooms[word_of(hashed)] & bits == bits and self.has_gram(gram, begin, p, end):
                return True
            groups = self.near[0][p[0]] & self.near[1][p[1]] & self.near[2][p[2]]
            if groups and self.has_near(groups, begin, p, end):
                return True
            p += 1
        while p < end:
            groups = self.near[0][p[0]]
            if end - p > 1:
                groups &= self.near[1][p[1]]
            if end - p > 2:
                groups &= self.near[2][p[2]]
            if groups and self.has_near(groups, begin, p, end):
                return True
            p += 1
        return False

    cdef bint may_hold(self, const byte_t* p, Py_ssize_t n) except -1:
        cdef Peeled peeled
        if self.search(p, n):
            return True
        peeled = peeled_of(p, n)
        return peeled is not None and self.search(<const byte_t*>PyBytes_AS_STRING(peeled.text), len(peeled.text))

    cpdef bint may_match(self, bytes text) except -1:
        return self.may_hold(<const byte_t*>PyBytes_AS_STRING(text), len(text))
