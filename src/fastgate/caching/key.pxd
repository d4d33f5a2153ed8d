cdef class Key:
    cdef readonly tuple scope
    cdef readonly str namespace
    cdef readonly bytes find
    cdef readonly bytes proof


cpdef tuple scope_of(str width, who, str session)
