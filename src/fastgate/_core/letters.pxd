"""Text as the bytes of its UTF-8, without a call where it is ASCII, and whether any of them controls something. No unit
of its own: everything here is inlined."""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_Check
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    const char *PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef enum:
    WORD = 8

cdef inline const char *utf8_of(object text, Py_ssize_t *size) except NULL:
    """Valid as long as the text is. TypeError for what is none, UnicodeEncodeError for a lone surrogate."""
    if not PyUnicode_Check(text):
        raise TypeError(f"text is asked for, not {type(text).__name__}")
    if not PyUnicode_IS_COMPACT_ASCII(text):
        return PyUnicode_AsUTF8AndSize(text, size)
    size[0] = PyUnicode_GET_LENGTH(text)
    return PyUnicode_DATA(text)


cdef inline bint is_control(unsigned char byte) noexcept nogil:
    return byte < 32 or byte == 127


cdef inline bint word_controls(const char *at) noexcept nogil:
    """Whether one of eight bytes is a control character. The lowest bit of a difference that borrows is its top one."""
    cdef uint64_t word, deleted
    memcpy(&word, at, WORD)
    deleted = word ^ <uint64_t>0x7F7F7F7F7F7F7F7F
    return ((
        (word - <uint64_t>0x2020202020202020) & ~word | (deleted - <uint64_t>0x0101010101010101) & ~deleted
    ) & <uint64_t>0x8080808080808080) != 0


cdef inline bint has_controls(const char *text, Py_ssize_t size) noexcept nogil:
    """Whether any byte is a control character, tab among them; eight at a time, the last of them once more where they
    do not come out even."""
    cdef Py_ssize_t i = 0
    if size < WORD:
        while i < size:
            if is_control(<unsigned char>text[i]):
                return True
            i += 1
        return False
    while i + WORD < size:
        if word_controls(text + i):
            return True
        i += WORD
    return word_controls(text + size - WORD)
