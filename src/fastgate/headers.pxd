cdef class HeaderSet:
    cdef readonly dict names
    cdef readonly tuple others
    cdef readonly str call_id
    cdef readonly str budget
    cdef readonly str routed
    cdef readonly str saved
    cdef readonly tuple cost
    cdef readonly tuple cost_bound
    cdef readonly tuple latency_ms
    cdef str _policy
    cdef dict _kept

    cpdef list steady(self, str model, str endpoint, str kind, str cache, str guard)
