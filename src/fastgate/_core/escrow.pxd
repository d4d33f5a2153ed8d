"""A worker's allowances over the cells of budgets. Rules and reasons: escrow.pyx."""

from libc.stdint cimport int64_t, uint32_t


cdef struct Account:
    int64_t free      # leased to this worker and held by no call; below zero after a call that cost more than its hold
    int64_t held      # what calls in flight hold
    int64_t low       # under this the account is dry: more is asked for before it is needed
    int holds         # calls in flight
    int64_t uses      # holds ever taken: who looks twice sees whether the account is in use
    int tight         # how many reasons there are to refuse new holds (somebody waits)
    uint32_t stamp    # grows when the account is closed: who still means the old one is told apart
    bint opened
    bint dry


cdef class Cells:
    cdef int *slots
    cdef uint32_t *stamps
    cdef readonly int count


cdef class Hold


cdef class Escrow:
    cdef Account *accounts
    cdef int *closed            # stack of slots that can be opened
    cdef int closed_count
    cdef int count
    cdef bint is_dry

    cdef Account *account(self, int slot) except NULL
    cpdef bint fresh(self, Cells cells) except -1
    cpdef Hold hold(self, Cells cells, nano)
    cdef bint is_fresh(self, Cells cells) noexcept
    cdef bint take(self, Cells cells, int64_t nano) noexcept
    cdef Hold taken(self, Cells cells, int64_t nano)


cdef class Hold:
    cdef Escrow escrow
    cdef Cells cells
    cdef readonly int64_t nano
    cdef readonly bint live

    cpdef bint settle(self, int64_t cost_nano) noexcept
    cdef bint end(self, int64_t cost_nano) noexcept
