"""The canonical form of a request. Rules and reasons: digest.pyx."""


cdef class Canonical:
    cdef readonly bytes data
    # As it was written, empty when absent or no number: what it means is the cache's business.
    cdef readonly str temperature
    cdef readonly bint safeguards
    # Where the last text of the user stands in `data`, its length before it; empty when there is none.
    cdef readonly Py_ssize_t spoken_start
    cdef readonly Py_ssize_t spoken_end
    cdef readonly bint tool_results
