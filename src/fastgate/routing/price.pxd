cimport cython
from libc.stdint cimport int64_t

from fastgate._core.money cimport PriceRow


cdef class Turn:
    cdef public int64_t prompt
    cdef public int64_t fresh
    cdef public int64_t output
    cdef public bint caches
    cdef public bint hour
    cdef public bint fast
    cdef public bint us_geo


@cython.locals(read=int64_t)
cpdef object turn_nano(Turn turn, PriceRow row, int64_t warm)


@cython.locals(new=int64_t)
cpdef object later_nano(Turn turn, PriceRow row)


cpdef object whole_nano(object price_nano, object later, object turns)


cdef object _nano(Turn turn, PriceRow row, int64_t read, int64_t new)
