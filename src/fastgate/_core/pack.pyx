# cython: language_level=3
"""MessagePack, written field by field: what each finished call leaves in the journal and in the flight table.

Byte for byte what msgspec writes of the same values (tests/laws/test_pack.py), at a third of its cost: the room for it
is there, and counts and text come from a call's fields without an object or a tuple of them all in between. What is
none of the plain kinds is left to msgspec. Knows nothing of what the fields mean.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from fastgate._core.letters cimport utf8_of

import msgspec

__all__ = ["Packer"]

cdef extern from *:
    """
    #define fg_swapped __builtin_bswap64
    """
    uint64_t fg_swapped(uint64_t value) noexcept nogil

cdef object Raw = msgspec.Raw
cdef object other = msgspec.msgpack.Encoder().encode

cdef enum:
    ROOM = 2048     # a record of Claude Code's has some 900 bytes, with its tools twice that
    KEPT = 65536    # a longer one's room is given back
    HEAD = 9        # the longest thing but text: a mark and eight bytes


@cython.final
cdef class Packer:
    """One message at a time: `begin` begins it, `taken` ends it. For one thread."""

    def __cinit__(self):
        self.room = ROOM
        self.data = <unsigned char *>PyMem_Malloc(ROOM)
        if self.data is NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.data)

    cpdef int begin(self, Py_ssize_t fields) except -1:
        """A new message, an array of so many fields; whatever was written before is forgotten."""
        self.size = 0
        return self.array(fields)

    cpdef int array(self, Py_ssize_t count) except -1:
        return self.head(count, 0x90, 16, 0, 0xDC)

    cpdef int text(self, str value) except -1:
        """UnicodeEncodeError for a lone surrogate."""
        cdef Py_ssize_t size
        cdef const char *p = utf8_of(value, &size)
        self.reserve(HEAD + size)
        if size < 32:  # most are so short
            self.data[self.size] = <unsigned char>(0xA0 | size)
            self.size += 1
        else:
            self.head(size, 0xA0, 32, 0xD9, 0xDA)
        return self.put(p, size)

    cpdef int number(self, int64_t value) except -1:
        if value >= 0:
            return self.count(<uint64_t>value)
        self.reserve(HEAD)
        if value >= -32:
            self.data[self.size] = <unsigned char>value
            self.size += 1
        elif value >= -0x80:
            self.mark(0xD0, <uint64_t>value, 1)
        elif value >= -0x8000:
            self.mark(0xD1, <uint64_t>value, 2)
        elif value >> 31 == -1:
            self.mark(0xD2, <uint64_t>value, 4)
        else:
            self.mark(0xD3, <uint64_t>value, 8)
        return 0

    cpdef int flag(self, bint value) except -1:
        return self.byte(0xC3 if value else 0xC2)

    cpdef int value(self, object value) except -1:
        """Anything that msgspec takes; containers must not hold themselves."""
        cdef int64_t small
        cdef int larger
        if value is None:
            return self.byte(0xC0)
        if type(value) is str:
            return self.text(<str>value)
        if type(value) is int:
            small = PyLong_AsLongLongAndOverflow(value, &larger)
            return self.packed(other(value)) if larger else self.number(small)
        if type(value) is tuple or type(value) is list:
            self.array(len(value))
            for item in value:
                self.value(item)
            return 0
        if type(value) is dict:
            self.head(len(<dict>value), 0x80, 16, 0, 0xDE)
            for key, item in (<dict>value).items():
                self.value(key)
                self.value(item)
            return 0
        if type(value) is bool:
            return self.flag(value)
        if type(value) is bytes:
            self.head(PyBytes_GET_SIZE(value), 0, 0, 0xC4, 0xC5)
            return self.put(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        return self.packed(value if type(value) is Raw else other(value))

    cpdef int packed(self, object value) except -1:
        """What is MessagePack already, as bytes or msgspec.Raw."""
        cdef Py_buffer view
        if type(value) is bytes:
            return self.put(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        try:
            return self.put(<const char *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    cpdef bytes taken(self):
        """The message."""
        cdef bytes whole = PyBytes_FromStringAndSize(<char *>self.data, self.size)
        if self.room > KEPT:
            self.data = <unsigned char *>PyMem_Realloc(self.data, ROOM)  # to shrink never fails
            self.room = ROOM
        self.size = 0
        return whole

    # -- inside -----------------------------------------------------------------------------------------------------

    cdef inline int reserve(self, Py_ssize_t more) except -1:
        if self.size + more > self.room:
            self.grow(more)
        return 0

    cdef int grow(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = 2 * self.room + more
        cdef void *data = PyMem_Realloc(self.data, <size_t>room)
        if data is NULL:
            raise MemoryError
        self.data, self.room = <unsigned char *>data, room
        return 0

    cdef inline int put(self, const char *p, Py_ssize_t size) except -1:
        self.reserve(size)
        memcpy(self.data + self.size, p, <size_t>size)
        self.size += size
        return 0

    cdef inline int byte(self, unsigned char value) except -1:
        self.reserve(1)
        self.data[self.size] = value
        self.size += 1
        return 0

    cdef inline void mark(self, unsigned char kind, uint64_t value, int width) noexcept:
        """A mark and the last `width` bytes of `value`, the highest first. There is room for eight."""
        cdef uint64_t highest_first = fg_swapped(value << (64 - 8 * width))
        self.data[self.size] = kind
        memcpy(self.data + self.size + 1, &highest_first, 8)
        self.size += 1 + width

    cdef inline int count(self, uint64_t value) except -1:
        self.reserve(HEAD)
        if value < 0x80:
            self.data[self.size] = <unsigned char>value
            self.size += 1
        elif value < 0x100:
            self.mark(0xCC, value, 1)
        elif value < 0x10000:
            self.mark(0xCD, value, 2)
        elif not value >> 32:  # a literal of more than 32 bits would be a Python integer
            self.mark(0xCE, value, 4)
        else:
            self.mark(0xCF, value, 8)
        return 0

    cdef inline int head(self, Py_ssize_t size, unsigned char fix, int fixed, unsigned char short_, unsigned char long_
                         ) except -1:
        """Of what has a size: `fix` and the size in one byte below `fixed`; a mark with one byte of it, where the kind
        has that (0: none); `long_` with two, and the mark after it with four."""
        self.reserve(HEAD)
        if size < fixed:
            self.data[self.size] = fix | <unsigned char>size
            self.size += 1
        elif size < 0x100 and short_:
            self.mark(short_, <uint64_t>size, 1)
        elif size < 0x10000:
            self.mark(long_, <uint64_t>size, 2)
        elif not size >> 32:
            self.mark(long_ + 1, <uint64_t>size, 4)
        else:
            raise ValueError(f"MessagePack takes no text or list of {size}")
        return 0
