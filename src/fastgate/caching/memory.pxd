from libc.stdint cimport int64_t


cdef class Memory:
    cdef public int64_t limit
    cdef readonly int64_t bytes
    cdef readonly object _entries

    cpdef object get(self, bytes find)


cpdef bint alive(entry, key, int64_t now_ns, int64_t oldest_ns) except *
