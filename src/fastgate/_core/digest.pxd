"""The canonical form of a request. Rules and reasons: digest.pyx."""


cdef class Canonical:
    cdef readonly bytes data
    # As it was written, empty when absent or no number: what it means is the cache's business.
    cdef readonly str temperature
    cdef readonly bint safeguards
