from fastgate.gateway.plain cimport open_call
from fastgate.gateway.worker cimport Worker


cdef class Door:
    cdef public Worker worker

    cpdef object open(self, watcher)

    cpdef bint shed_at_once(self, watcher) except *
