"""Whether a text is worded like others; how: wording.pxd."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport INFINITY, NAN, isnan, sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from fastgate._core.span cimport byte_t

__all__ = ["KNOWN_MIN", "SEGMENT_BYTES", "Wording"]

SEGMENT_BYTES = SEGMENT
"""Bytes of a segment; a window has two."""
KNOWN_MIN = KNOWN
"""Terms with a weight that a window needs to have a score."""

# FNV-1a (Fowler, Noll, Vo), and 2^64 over the golden ratio (Knuth, The Art of Computer Programming, 6.4).
cdef uint64_t BASIS = 0xCBF29CE484222325ULL
cdef uint64_t PRIME = 0x100000001B3ULL
cdef uint64_t SPREAD = 0x9E3779B97F4A7C15ULL


cdef inline byte_t letter(byte_t sign) noexcept:
    """The small letter; 0 for what is none."""
    sign |= 0x20
    return sign if 97 <= sign <= 122 else 0


cdef inline Py_ssize_t apostrophe(const byte_t* p, const byte_t* end) noexcept:
    """Bytes of an apostrophe that a letter follows; 0 for none."""
    if end - p > 1 and p[0] == 39 and letter(p[1]):
        return 1
    if end - p > 3 and p[0] == 0xE2 and p[1] == 0x80 and p[2] == 0x99 and letter(p[3]):
        return 3
    return 0


cdef inline const byte_t* word_end(const byte_t* p, const byte_t* end, uint64_t* hashed) noexcept:
    """The end of the word that begins at p, and its hash."""
    cdef uint64_t h = BASIS
    cdef byte_t small
    cdef Py_ssize_t sign
    while p < end:
        small = letter(p[0])
        if small:
            h = (h ^ small) * PRIME
            p += 1
            continue
        sign = apostrophe(p, end)
        if not sign:
            break
        h = (h ^ 39) * PRIME
        p += sign
    hashed[0] = h
    return p


cdef inline const byte_t* term_end(const byte_t* p, const byte_t* end, uint64_t* hashed) noexcept:
    """The end of the word or the sense's name that begins at p, and its hash; p itself for none."""
    cdef uint64_t h = (BASIS ^ 60) * PRIME
    cdef const byte_t* q = p + 1
    if p == end or p[0] != 60:
        return word_end(p, end, hashed)
    while q < end and letter(q[0]):
        h = (h ^ letter(q[0])) * PRIME
        q += 1
    hashed[0] = h
    return q + 1 if q > p + 1 and q < end and q[0] == 62 else p


cdef uint64_t name_hash(bytes name) except? 0:
    """The hash of a sense's or a sign's name."""
    cdef const byte_t* p = <const byte_t*>PyBytes_AS_STRING(name)
    cdef const byte_t* end = p + PyBytes_GET_SIZE(name)
    cdef uint64_t h
    if p == end or p[0] != 60 or term_end(p, end, &h) != end or name != name.lower():
        raise ValueError(f"not the name of a sense or a sign: {name!r}")
    return h


cdef inline bint ends_sentence(const byte_t* p, const byte_t* end) noexcept:
    """Whether a stop before a blank stands here, or the end of a line that an empty one follows."""
    if end - p < 2:
        return False
    if p[0] == 10:
        return p[1] == 10 or p[1] == 13
    return (p[0] == 46 or p[0] == 33 or p[0] == 63) and (p[1] == 32 or (9 <= p[1] <= 13))


cdef inline uint64_t pair(uint64_t first, uint64_t second) noexcept:
    return (first * SPREAD) ^ second


@cython.final
cdef class Wording:
    """See wording.pxd."""

    def __init__(self):
        raise TypeError("a Wording is made by Wording.of")

    def __dealloc__(self):
        PyMem_Free(self.terms)
        PyMem_Free(self.senses)
        PyMem_Free(self.signs)

    @staticmethod
    def of(dict weights, double bias, double damping, dict senses=None, dict signs=None):
        cdef Wording made = Wording.__new__(Wording)
        cdef int bits = 4
        cdef dict sensed = senses or {}
        if not damping > 0:
            raise ValueError("damping is above 0")
        if not set(sensed.values()).isdisjoint((signs or {}).values()):
            raise ValueError("a sense and a sign of one name")
        while (1 << bits) < 4 * (len(weights) + len(sensed)):
            bits += 1
        made.terms = <Term*>PyMem_Calloc(1 << bits, sizeof(Term))
        if sensed:
            made.senses = <uint64_t*>PyMem_Calloc(1 << bits, sizeof(uint64_t))
        if signs:
            made.signs = <uint64_t*>PyMem_Calloc(256, sizeof(uint64_t))
        if not made.terms or (sensed and not made.senses) or (signs and not made.signs):
            raise MemoryError
        made.mask, made.shift = (<uint64_t>1 << bits) - 1, 64 - bits
        made.bias, made.damping, made.clock = bias, damping, 2
        for written, weight in weights.items():
            made.add(written, weight)
        for written, name in sensed.items():
            made.give(written, name)
        for written, name in (signs or {}).items():
            if type(written) is not bytes or len(written) != 1 or letter(written[0]):
                raise ValueError(f"not a sign: {written!r}")
            made.signs[<byte_t>written[0]] = name_hash(name)
        return made

    cdef int add(self, bytes written, double weight) except -1:
        cdef const byte_t* p = <const byte_t*>PyBytes_AS_STRING(written)
        cdef const byte_t* end = p + PyBytes_GET_SIZE(written)
        cdef uint64_t key, second
        cdef const byte_t* q = term_end(p, end, &key)
        cdef bint good = q > p and written == written.lower()
        if good and q < end:
            p = q + 1
            good = q[0] == 32 and p < end and (letter(p[0]) != 0 or p[0] == 60)
            if good:
                good = term_end(p, end, &second) == end
                key = pair(key, second)
        if not good:
            raise ValueError(f"neither a word nor a sense nor two: {written!r}")
        cdef Term* found = self.term(key)
        found.key, found.weight = key, weight
        self.count += 1
        return 0

    cdef int give(self, bytes written, bytes name) except -1:
        cdef const byte_t* p = <const byte_t*>PyBytes_AS_STRING(written)
        cdef uint64_t key, sense = name_hash(name)
        cdef const byte_t* end = p + PyBytes_GET_SIZE(written)
        if p == end or word_end(p, end, &key) != end or written != written.lower():
            raise ValueError(f"not a word: {written!r}")
        cdef Term* found = self.term(key)
        if not found.key:
            found.key, found.weight = key, NAN
        self.senses[found - self.terms] = sense
        return 0

    cdef Term* term(self, uint64_t key) noexcept:
        """The term of a key, or the empty place where it would be."""
        cdef uint64_t at = (key * SPREAD) >> self.shift
        while self.terms[at].key and self.terms[at].key != key:
            at = (at + 1) & self.mask
        return &self.terms[at]

    cdef double value(self, const Window* window) noexcept:
        cdef int64_t n = window.before_n + window.new_n
        return self.bias + (window.before + window.new) / sqrt(n + self.damping) if n >= KNOWN else -INFINITY

    cdef void enter(self, Window* window, int64_t segment) noexcept:
        """Another segment begins."""
        cdef bint follows = segment == window.segment + 1
        window.before = window.own if follows else 0.0
        window.before_n = window.own_n if follows else 0
        window.first_before = window.first if follows else -1
        window.segment, window.first = segment, -1
        window.own = window.new = 0.0
        window.own_n = window.new_n = 0

    cdef void see(self, Window* window, Term* found, Py_ssize_t start, Py_ssize_t end) noexcept:
        if not found.key or found.seen == window.segment or isnan(found.weight):
            return
        window.own += found.weight
        window.own_n += 1
        if found.seen != window.segment - 1:
            window.new += found.weight
            window.new_n += 1
        found.seen = window.segment
        if found.weight > 0:
            if window.first < 0:
                window.first = start
            window.last = end

    cdef void see_sign(self, Window* window, Past* past, uint64_t sign, Py_ssize_t start) noexcept:
        """The sign that begins there, and its pair with what is in front of it."""
        self.see(window, self.term(sign), start, start + 1)
        if past.token:
            self.see(window, self.term(pair(past.token, sign)), past.token_at, start + 1)
        past.token, past.token_at, past.after_sign = sign, start, True

    cdef void see_word(self, Window* window, Past* past, uint64_t word, Py_ssize_t start, Py_ssize_t end) noexcept:
        """The word that stands there, its sense, and their pairs with what is in front of them."""
        cdef Term* found = self.term(word)
        cdef uint64_t sense = self.senses[found - self.terms] if self.senses != NULL else 0
        self.see(window, found, start, end)
        if past.after_sign:
            self.see(window, self.term(pair(past.token, word)), past.token_at, end)
        if past.word:
            self.see(window, self.term(pair(past.word, word)), past.word_at, end)
        if past.sense:
            self.see(window, self.term(pair(past.sense, word)), past.word_at, end)
        if sense:
            self.see(window, self.term(sense), start, end)
            if past.word:
                self.see(window, self.term(pair(past.word, sense)), past.word_at, end)
            if past.sentence_sense:
                self.see(window, self.term(pair(past.sentence_sense, sense)), past.sense_at, end)
            past.sentence_sense, past.sense_at = sense, start
        past.token, past.token_at, past.after_sign = word, start, False
        past.word, past.word_at, past.sense = word, start, sense

    cdef double read(self, bytes text, double enough, Window* at) noexcept:
        """The highest score, or the first that is above `enough`, with its window in `at`."""
        cdef const byte_t* begin = <const byte_t*>PyBytes_AS_STRING(text)
        cdef const byte_t* p = begin
        cdef const byte_t* q
        cdef const byte_t* end = begin + PyBytes_GET_SIZE(text)
        cdef double best = -INFINITY, now
        cdef uint64_t key
        cdef int64_t segment
        cdef Past past
        memset(at, 0, sizeof(Window))
        memset(&past, 0, sizeof(Past))
        while True:
            while p < end and not letter(p[0]):
                if past.sentence_sense and ends_sentence(p, end):
                    past.sentence_sense = 0
                if self.signs != NULL and self.signs[p[0]] != 0 and self.signs[p[0]] != past.token:
                    break
                p += 1
            segment = self.clock + (p - begin) // SEGMENT if p < end else -1
            if segment != at.segment:
                if at.segment:
                    now = self.value(at)
                    best = max(best, now)
                    if best > enough:
                        break
                if p == end:
                    break
                self.enter(at, segment)
            if letter(p[0]):
                q = word_end(p, end, &key)
                self.see_word(at, &past, key, p - begin, q - begin)
                p = q
            else:
                self.see_sign(at, &past, self.signs[p[0]], p - begin)
                p += 1
        self.clock += PyBytes_GET_SIZE(text) // SEGMENT + 2
        return best

    cpdef object find(self, bytes text):
        cdef Window at
        if self.read(text, 0.0, &at) <= 0:
            return None
        cdef Py_ssize_t first = at.first if at.first_before < 0 else at.first_before
        if first < 0:
            return 0, len(text)
        return first, at.last

    cpdef double score(self, bytes text) except? -1:
        cdef Window at
        return self.read(text, INFINITY, &at)
