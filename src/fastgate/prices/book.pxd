from fastgate._core.money cimport PriceRow


cdef class PriceBook:
    cdef dict _rows
    cdef list _overrides
    cdef readonly dict _memo
    cdef readonly PriceRow worst
    cdef readonly bint refuse_unknown

    cpdef object lookup(self, str kind, str model)
