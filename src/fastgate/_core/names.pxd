"""The names of the objects that are open while a document is read, to tell when one object has a name twice.

Use: `open_names` where an object begins gives a mark; `add_name` for each of its names in turn; `close_names` with
the mark where it ends. A name twice is told by `add_name` in small objects and by `close_names` in large ones. Names
are compared as unescaped bytes. Time is linear in the bytes of all names, whatever they are.

Lifetime: names point into the document; both must outlive the reading. `free_names` at the end, always.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy

from fastgate._core.span cimport Text, byte_t

# Objects of up to so many names are compared pair by pair, larger ones by a table.
cdef enum:
    SMALL_OBJECT = 16

# Names of open objects that are kept without an allocation.
cdef enum:
    NAMES_INLINE = 128

cdef enum:
    NAMES_FINE = 0
    NAMES_TWICE = 1
    NAMES_NO_MEMORY = 2


# One name; `sign` is equal for equal names.
cdef struct Name:
    const byte_t* p
    Py_ssize_t n
    uint64_t sign


cdef struct Names:
    const byte_t* end  # of the document
    Name* list
    Py_ssize_t n
    Py_ssize_t room
    Py_ssize_t in_all
    byte_t* plain  # names that had to be unescaped
    Py_ssize_t plain_n
    Py_ssize_t plain_room
    Name twice  # the one that was told
    Name inlined[NAMES_INLINE]


cdef void start_names(Names* names, const byte_t* start, const byte_t* end) noexcept
cdef void free_names(Names* names) noexcept
cdef int grow_names(Names* names) noexcept
cdef int unescape_name(Names* names, Text text, Name* name) noexcept
cdef int check_large(Names* names, Py_ssize_t mark) noexcept


cdef inline Py_ssize_t open_names(Names* names) noexcept:
    return names.n


cdef inline int close_names(Names* names, Py_ssize_t mark) noexcept:
    cdef int told = NAMES_FINE
    if names.n - mark > SMALL_OBJECT:
        told = check_large(names, mark)
    names.n = mark
    return told


cdef inline uint64_t sign_of(const byte_t* p, Py_ssize_t n, const byte_t* end) noexcept:
    """The first eight bytes, mixed with the length."""
    cdef uint64_t word = 0
    if n >= 8:
        memcpy(&word, p, 8)
    elif end - p >= 8:
        memcpy(&word, p, 8)
        word &= (<uint64_t>1 << (8 * n)) - 1
    else:
        memcpy(&word, p, <size_t>n)
    return word ^ (<uint64_t>n * <uint64_t>0x9E3779B97F4A7C15)


cdef inline bint same_name(Name* a, Name* b) noexcept:
    return a.sign == b.sign and a.n == b.n and memcmp(a.p, b.p, <size_t>a.n) == 0


cdef inline int add_name(Names* names, Py_ssize_t mark, Text text) noexcept:
    """Notes a name of the object that was opened at `mark`; it is then the last in the list."""
    cdef Name name
    cdef Py_ssize_t i
    cdef int told
    names.in_all += 1
    if names.n == names.room and grow_names(names) != NAMES_FINE:
        return NAMES_NO_MEMORY
    if text.shrink == 0:
        name.p, name.n = text.p, text.n
        name.sign = sign_of(name.p, name.n, names.end)
    else:
        told = unescape_name(names, text, &name)
        if told != NAMES_FINE:
            return told
    if names.n - mark < SMALL_OBJECT:
        for i in range(mark, names.n):
            if same_name(&names.list[i], &name):
                names.twice = name
                return NAMES_TWICE
    names.list[names.n] = name
    names.n += 1
    return NAMES_FINE
