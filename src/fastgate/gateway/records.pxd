from libc.stdint cimport int64_t

from fastgate._core.flight cimport FlightTable
from fastgate.journal.writer cimport JournalWriter


cdef class Records:
    cdef public JournalWriter journal
    cdef public FlightTable flight
    cdef public object waiting
    cdef int64_t strangers
    cdef int64_t stranger_second

    cpdef object keep(self, bytes record, int slot)
    cpdef bint append(self, bytes record, int slot) except *
