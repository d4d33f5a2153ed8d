# What the fields of a Snapshot are in C (snapshot.py says what they mean).

from fastgate.headers cimport HeaderSet
from fastgate.prices.book cimport PriceBook


cdef class Snapshot:
    cdef public object data
    cdef public object generation
    cdef public str version
    cdef public HeaderSet headers
    cdef public object limits
    cdef public tuple endpoints
    cdef public dict principals
    cdef public dict accepted
    cdef public dict tagged
    cdef public PriceBook prices
    cdef public dict served
    cdef public object pauses
    cdef public object rates
    cdef public object cache
    cdef public object prompt
    cdef public object budgets
    cdef public object guards
    cdef public object router
    cdef public object ladder
    cdef public bint plain
