cdef class Pressure:
    cdef public int limit
    cdef public int late

    cpdef int level(self, int in_flight) except -1
