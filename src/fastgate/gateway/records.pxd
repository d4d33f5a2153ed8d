from libc.stdint cimport int64_t

cimport cython

from fastgate._core.flight cimport FlightTable
from fastgate.journal.writer cimport JournalWriter, framed


cdef class Records:
    cdef public JournalWriter journal
    cdef public FlightTable flight
    cdef readonly list waiting
    cdef list slots
    cdef readonly bint stuck
    cdef object soon
    cdef int64_t strangers
    cdef int64_t stranger_second

    cpdef object keep(self, bytes record, int slot)

    @cython.locals(waiting=list, slots=list, freed=list, slot=int, count=int)
    cpdef object write(self)

    cdef object release(self, int slot)
