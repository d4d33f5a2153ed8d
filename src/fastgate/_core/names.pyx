"""The names of open objects: what is not done for every name. Contract and the common case: names.pxd."""

from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastgate._core.span cimport Text, byte_t, fg_unescape

import os

cdef extern from "skip.h" nogil:
    uint64_t FG_PRIME
    uint64_t fg_digest(const unsigned char* p, size_t n, uint64_t point, uint64_t spread) noexcept

# Secrets of this process: without them, names that meet in the table cannot be chosen.
cdef uint64_t POINT = 1 + int.from_bytes(os.urandom(8), "little") % (FG_PRIME - 1)
cdef uint64_t SPREAD = 1 + int.from_bytes(os.urandom(8), "little") % (FG_PRIME - 1)


cdef void start_names(Names* names, const byte_t* start, const byte_t* end) noexcept:
    names.end = end
    names.list, names.n, names.room, names.in_all = names.inlined, 0, NAMES_INLINE, 0
    names.plain, names.plain_n, names.plain_room = NULL, 0, end - start


cdef void free_names(Names* names) noexcept:
    PyMem_Free(names.plain)
    if names.list != names.inlined:
        PyMem_Free(names.list)


cdef int grow_names(Names* names) noexcept:
    cdef bint inlined = names.list == names.inlined
    cdef Py_ssize_t room = 4 * names.room
    cdef Name* grown = <Name*>PyMem_Realloc(NULL if inlined else names.list, <size_t>room * sizeof(Name))
    if grown == NULL:
        return NAMES_NO_MEMORY
    if inlined:
        memcpy(grown, names.inlined, <size_t>names.n * sizeof(Name))
    names.list, names.room = grown, room
    return NAMES_FINE


cdef int unescape_name(Names* names, Text text, Name* name) noexcept:
    if names.plain == NULL:
        # Room for all that the document could unescape to: it never moves, so names may point into it. What is not
        # written to is not taken from the system.
        names.plain = <byte_t*>PyMem_Malloc(<size_t>names.plain_room)
        if names.plain == NULL:
            return NAMES_NO_MEMORY
    name.p = names.plain + names.plain_n
    name.n = <Py_ssize_t>fg_unescape(text.p, <size_t>text.n, names.plain + names.plain_n)
    names.plain_n += name.n
    name.sign = sign_of(name.p, name.n, name.p + name.n)
    return NAMES_FINE


cdef int check_large(Names* names, Py_ssize_t mark) noexcept:
    """Whether a name is twice among many, by a table on a digest that cannot be foreseen."""
    cdef Name* list = names.list + mark
    cdef Py_ssize_t count = names.n - mark
    cdef size_t room = 64
    cdef size_t at
    cdef Py_ssize_t i
    cdef uint32_t* table
    cdef int told = NAMES_FINE
    while room < 2 * <size_t>count:
        room *= 2
    table = <uint32_t*>PyMem_Malloc(room * sizeof(uint32_t))
    if table == NULL:
        return NAMES_NO_MEMORY
    memset(table, 0, room * sizeof(uint32_t))
    for i in range(count):
        at = fg_digest(list[i].p, <size_t>list[i].n, POINT, SPREAD) & (room - 1)
        while table[at] and told == NAMES_FINE:
            if same_name(&list[table[at] - 1], &list[i]):
                names.twice = list[i]
                told = NAMES_TWICE
            at = (at + 1) & (room - 1)
        if told != NAMES_FINE:
            break
        table[at] = <uint32_t>(i + 1)
    PyMem_Free(table)
    return told
