"""Whether a text is worded like others: a linear model of its words and pairs of words, in windows that overlap.

Words may be given a sense, as `forward` and `upload` may that of `<send>`: then the sense counts beside the word, alone
and in each pair, and so does a pair of senses that follow each other in one sentence, whatever words without a sense
stand between them.

Signs may be given names, as `{` may that of `<brace>`: then one counts as a word does, alone and in a pair with the
word or the other sign that it follows or that follows it; a run of one name, blanks or not within it, is one. They tell
prose from source.

A text is cut into segments of SEGMENT bytes, by where its words and signs begin. A window is a segment with the one
before it; in it each word, each sign and each pair of them counts once, however often it stands there, and

    score = bias + sum of the weights / sqrt(how many of them have a weight + damping)

so that a window says something by what it is made of, not by how much of it there is. One that has fewer than KNOWN
terms with a weight is of another language, or of none, and has no score. Words are runs of ASCII letters,
in one case, an apostrophe among them (`'` or U+2019); whatever else stands between two words, and has no name, is not
looked at. One pass over the text, one look-up a word and one a pair, nothing kept; weights are found by a hash of 64
bits.
"""

from libc.stdint cimport int64_t, uint64_t

from fastgate._core.span cimport byte_t

cdef enum:
    SEGMENT = 600  # bytes: a window is the length of a prompt
    KNOWN = 4


# A word, a sense, a sign or a pair of them that has a weight, or a word that has a sense, or both.
cdef struct Term:
    uint64_t key
    double weight  # NAN for none
    int64_t seen  # the last segment that had it


# What is known of a segment and the one before it.
cdef struct Window:
    int64_t segment
    double own, new  # weights of the terms of the segment; of those that the one before does not have
    int64_t own_n, new_n
    double before  # the same of the segment before
    int64_t before_n
    Py_ssize_t first, last  # from the first term that speaks for it to the end of the last; first is -1 for none
    Py_ssize_t first_before


# What stands in front of a word or a sign: hashes, 0 for none, and where each begins.
cdef struct Past:
    uint64_t word, sense  # the word before, and its sense
    Py_ssize_t word_at
    uint64_t token  # the word or the sign before
    bint after_sign
    Py_ssize_t token_at
    uint64_t sentence_sense  # the last sense of this sentence
    Py_ssize_t sense_at


cdef class Wording:
    cdef Term* terms
    cdef uint64_t* senses  # the hash of each term's sense, 0 for none; NULL where no word has one
    cdef uint64_t* signs  # the hash of each byte's name, 0 for none; NULL where no sign has one
    cdef uint64_t mask  # slots, less one
    cdef int shift
    cdef double bias, damping
    cdef int64_t clock  # segments of all texts so far
    cdef readonly Py_ssize_t count

    cdef int add(self, bytes written, double weight) except -1
    cdef int give(self, bytes written, bytes name) except -1
    cdef Term* term(self, uint64_t key) noexcept
    cdef double value(self, const Window* window) noexcept
    cdef void enter(self, Window* window, int64_t segment) noexcept
    cdef void see(self, Window* window, Term* found, Py_ssize_t start, Py_ssize_t end) noexcept
    cdef void see_sign(self, Window* window, Past* past, uint64_t sign, Py_ssize_t start) noexcept
    cdef void see_word(self, Window* window, Past* past, uint64_t word, Py_ssize_t start, Py_ssize_t end) noexcept
    cdef double read(self, bytes text, double enough, Window* at) noexcept
    cpdef object find(self, bytes text)
    cpdef double score(self, bytes text) except? -1
