from libc.stdint cimport int64_t

from fastgate.caching.key cimport Key


cdef class Asked:
    cdef public Key key
    cdef public str model
    cdef public int64_t max_tokens
    cdef public int64_t ttl_ns
    cdef public int64_t oldest_ns
    cdef public bint keep
    cdef public bint refresh
    cdef public object flight
    cdef public object ahead
    cdef public object entry
    cdef public object spoken
