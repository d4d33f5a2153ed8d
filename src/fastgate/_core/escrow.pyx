"""Escrow: what a worker may spend before it has to ask again, and the holds of its calls against that.

Owns one account a cell (a budget in one period) and the rule that a hold takes from all of its cells or from none. An
account gets money only by `grant` and loses it only by what calls cost and by `take_back`, so what was granted is at
every moment what is free, held, spent or given back. Must not know budgets, ceilings or the store: whoever grants has
asked there first. Used from one thread; nothing here waits.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from libc.stddef cimport size_t
from libc.stdint cimport INT64_MIN, int64_t

__all__ = ["DEFAULT_ACCOUNTS", "MAX_NANO", "Cells", "Escrow", "Hold"]

DEFAULT_ACCOUNTS = 16384
"""Cells of one worker at once: budgets of every member and session with calls in flight; 768 KiB."""

# A billion dollars: far above any budget, and a sum of eight still fits an int64.
MAX_NANO = 1_000_000_000_000_000_000
cdef int64_t _MAX_NANO = 1_000_000_000_000_000_000


cdef int64_t amount(object nano) except -1:
    if type(nano) is not int:
        raise TypeError(f"an amount must be an int, not {type(nano).__name__}")
    if nano < 0 or nano > _MAX_NANO:
        raise ValueError(f"an amount must lie in 0..{_MAX_NANO}, got {nano}")
    return nano


cdef inline Cells given(Cells cells):
    """The cells themselves: what compiled code calls takes None for any class."""
    if cells is None:
        raise TypeError("cells must not be None")
    return cells


cdef inline int64_t less(int64_t a, int64_t b) noexcept nogil:
    """a - b, no lower than the lowest: a charge that no model can reach must not wrap into an allowance."""
    if b > 0 and a < INT64_MIN + b:
        return INT64_MIN
    return a - b


@cython.final
cdef class Cells:
    """The accounts that one kind of call draws on, together. Made by `Escrow.cells`; worthless once one is closed."""

    def __init__(self):
        raise TypeError("use Escrow.cells(...)")

    def __dealloc__(self):
        PyMem_Free(self.slots)
        PyMem_Free(self.stamps)


@cython.final
@cython.freelist(256)
cdef class Hold:
    """What one call holds on its cells, until `settle` or `void`, whichever comes first; the other then does nothing.
    Made by `Escrow.hold`."""

    def __init__(self):
        raise TypeError("use Escrow.hold(...)")

    def extend(self, nano) -> bool:
        """Hold so much more, on all cells or none: another attempt, or a dearer one."""
        cdef int64_t more = amount(nano)
        if not self.live or self.nano > _MAX_NANO - more or not self.escrow.take(self.cells, more):
            return False
        cdef int i
        for i in range(self.cells.count):
            self.escrow.accounts[self.cells.slots[i]].holds -= 1  # the same call holds more
        self.nano += more
        return True

    cpdef bint settle(self, int64_t cost_nano) noexcept:
        """The call cost that much: the rest of its hold is free again. True if this ended the hold."""
        return self.end(cost_nano if cost_nano > 0 else 0)

    def void(self) -> bool:
        """The call cost nothing. True if this ended the hold."""
        return self.end(0)

    cdef bint end(self, int64_t cost_nano) noexcept:
        if not self.live:
            return False
        self.live = False
        cdef Account *account
        cdef int i
        for i in range(self.cells.count):
            account = self.escrow.accounts + self.cells.slots[i]
            account.held -= self.nano
            account.holds -= 1
            account.free = less(account.free + self.nano, cost_nano)
            if account.free < account.low:
                account.dry = self.escrow.is_dry = True
        return True


@cython.final
cdef class Escrow:
    """The accounts of one worker, by slot."""

    def __cinit__(self, int accounts=DEFAULT_ACCOUNTS):
        if accounts <= 0:
            raise ValueError(f"accounts must be positive, got {accounts}")
        self.accounts = <Account *>PyMem_Calloc(<size_t>accounts, sizeof(Account))
        self.closed = <int *>PyMem_Malloc(<size_t>accounts * sizeof(int))
        if self.accounts is NULL or self.closed is NULL:
            raise MemoryError
        cdef int i
        for i in range(accounts):
            self.closed[i] = accounts - 1 - i
        self.count = self.closed_count = accounts

    def __dealloc__(self):
        PyMem_Free(self.accounts)
        PyMem_Free(self.closed)

    def open(self) -> int:
        """A new account with nothing in it; -1 when there are as many as there can be."""
        if self.closed_count == 0:
            return -1
        self.closed_count -= 1
        cdef int slot = self.closed[self.closed_count]
        cdef Account *account = self.accounts + slot
        account.free = account.held = account.low = account.uses = 0
        account.holds = account.tight = 0
        account.dry = False
        account.opened = True
        return slot

    def close(self, int slot) -> int:
        """End an account that no call holds anything on; what was free, or owed. ValueError while one does."""
        cdef Account *account = self.account(slot)
        if account.holds:
            raise ValueError(f"{account.holds} calls hold money on account {slot}")
        account.opened = False
        account.stamp += 1
        self.closed[self.closed_count] = slot
        self.closed_count += 1
        return account.free

    def cells(self, slots) -> Cells:
        """These accounts as what a hold takes from. ValueError for one that is not open, or named twice."""
        wanted = tuple(slots)
        if len(set(wanted)) != len(wanted):
            raise ValueError("an account is named twice")
        cdef Cells cells = Cells.__new__(Cells)
        cells.slots = <int *>PyMem_Malloc(max(<size_t>len(wanted), <size_t>1) * sizeof(int))
        cells.stamps = <uint32_t *>PyMem_Malloc(max(<size_t>len(wanted), <size_t>1) * sizeof(uint32_t))
        if cells.slots is NULL or cells.stamps is NULL:
            raise MemoryError
        cdef int slot
        for slot in wanted:
            cells.stamps[cells.count] = self.account(slot).stamp
            cells.slots[cells.count] = slot
            cells.count += 1
        return cells

    cpdef bint fresh(self, Cells cells) except -1:
        """Whether all of these accounts are still the ones that were meant."""
        return self.is_fresh(given(cells))

    cpdef Hold hold(self, Cells cells, nano):
        """Take so much from every one of the cells, or nothing and None: one has less, is tight, or was closed."""
        cdef int64_t wanted = amount(nano)
        if not self.is_fresh(given(cells)):
            return None
        cdef int i
        for i in range(cells.count):
            if self.accounts[cells.slots[i]].tight:
                return None
        return self.taken(cells, wanted)

    def claim(self, Cells cells not None, nano) -> Hold | None:
        """`hold` for one whose turn it is: tight accounts serve it too."""
        return self.taken(cells, amount(nano)) if self.is_fresh(cells) else None

    def grant(self, int slot, nano):
        """The store has leased this worker so much more."""
        cdef Account *account = self.account(slot)
        account.free += amount(nano)
        if account.free > _MAX_NANO:
            account.free -= nano
            raise OverflowError("an account would exceed what an account may hold")

    def take_back(self, int slot, nano) -> int:
        """Take up to so much of what is free, to be given back to the store; returns how much that is."""
        cdef Account *account = self.account(slot)
        cdef int64_t most = amount(nano)
        cdef int64_t taken = min(most, account.free)
        if taken <= 0:
            return 0
        account.free -= taken
        return taken

    def tighten(self, int slot, int by):
        """+1: there is a reason to refuse new holds; -1: it is gone."""
        cdef Account *account = self.account(slot)
        if account.tight + by < 0:
            raise ValueError(f"account {slot} was not tight")
        account.tight += by

    def watch(self, int slot, nano):
        """Note the account as dry once less than this is free; 0 for never."""
        cdef Account *account = self.account(slot)
        account.low = amount(nano)
        account.dry = False

    @property
    def dry(self) -> bool:
        """Some account has fallen under its mark since `dried` was asked."""
        return self.is_dry

    def dried(self) -> list[int]:
        """The accounts that have fallen under their mark; each is named once until it is watched anew."""
        found = []
        cdef int slot
        self.is_dry = False
        for slot in range(self.count):
            if self.accounts[slot].opened and self.accounts[slot].dry:
                self.accounts[slot].dry = False
                self.accounts[slot].low = 0
                found.append(slot)
        return found

    def free(self, int slot) -> int:
        return self.account(slot).free

    def held(self, int slot) -> int:
        return self.account(slot).held

    def holds(self, int slot) -> int:
        """Calls that hold something on the account."""
        return self.account(slot).holds

    def uses(self, int slot) -> int:
        """How often something was held on the account since it was opened."""
        return self.account(slot).uses

    cdef Account *account(self, int slot) except NULL:
        if slot < 0 or slot >= self.count or not self.accounts[slot].opened:
            raise ValueError(f"account {slot} is not open")
        return self.accounts + slot

    cdef bint is_fresh(self, Cells cells) noexcept:
        cdef int i
        for i in range(cells.count):
            if self.accounts[cells.slots[i]].stamp != cells.stamps[i]:
                return False
        return True

    cdef bint take(self, Cells cells, int64_t nano) noexcept:
        cdef Account *account
        cdef int i
        for i in range(cells.count):
            account = self.accounts + cells.slots[i]
            if account.free < nano or account.held > _MAX_NANO - nano:
                if account.low:
                    account.dry = self.is_dry = True
                return False
        for i in range(cells.count):
            account = self.accounts + cells.slots[i]
            account.free -= nano
            account.held += nano
            account.holds += 1
            account.uses += 1
            if account.free < account.low:
                account.dry = self.is_dry = True
        return True

    cdef Hold taken(self, Cells cells, int64_t nano):
        if not self.take(cells, nano):
            return None
        cdef Hold hold = Hold.__new__(Hold)
        hold.escrow = self
        hold.cells = cells
        hold.nano = nano
        hold.live = True
        return hold
