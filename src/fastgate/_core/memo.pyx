"""The memo of judged blocks. What it is for and how it forgets: memo.pxd; why its marks may be trusted: mark.h."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    KEY_BYTES = 1072  # sizeof(fg_mark_key)
    PROBES = 16  # places looked at for one mark; at half load a run this long comes once in tens of thousands

# 2^17 marks of 16 bytes, twice: 4 MiB a worker, the blocks of some four hundred long conversations.
cdef size_t SLOTS = 1 << 17

# Blocks in which something was found; each some 500 bytes with its findings: at most 16 MiB in two generations.
cdef size_t FOUND_LIMIT = 1 << 14

cdef uint64_t PRIME = (<uint64_t>1 << 61) - 1


cdef inline bytes bytes_of(fg_mark mark):
    return PyBytes_FromStringAndSize(<const char*>&mark, sizeof(fg_mark))


cdef inline bint same_mark(fg_mark a, fg_mark b) noexcept:
    return a.lane[0] == b.lane[0] and a.lane[1] == b.lane[1]


@cython.final
cdef class Memo:
    """See memo.pxd."""

    def __init__(self):
        raise TypeError("a Memo is made by Memo.of")

    def __dealloc__(self):
        PyMem_Free(self.young)
        PyMem_Free(self.old)

    @staticmethod
    def of(bytes secret not None, *, size_t slots=SLOTS, size_t found_limit=FOUND_LIMIT):
        """An empty memo with that key."""
        cdef Memo memo = Memo.__new__(Memo)
        if len(secret) != KEY_BYTES or sizeof(fg_mark_key) != KEY_BYTES:
            raise ValueError(f"the key of a memo has {KEY_BYTES} bytes")
        if slots < PROBES or slots & (slots - 1):
            raise ValueError(f"the number of slots must be a power of two, at least {PROBES}")
        memcpy(&memo.key, PyBytes_AS_STRING(secret), KEY_BYTES)
        for lane in range(2):
            memo.key.point[lane] %= PRIME
            memo.key.spread[lane] %= PRIME
        memo.young = <fg_mark*>PyMem_Calloc(slots, sizeof(fg_mark))
        memo.old = <fg_mark*>PyMem_Calloc(slots, sizeof(fg_mark))
        if memo.young == NULL or memo.old == NULL:
            raise MemoryError()
        memo.mask = slots - 1
        memo.limit = slots // 2
        memo.found_young, memo.found_old = {}, {}
        memo.found_limit = found_limit
        return memo

    def mark_of(self, bytes data not None, uint64_t seed=0):
        """The mark of the bytes, from Python."""
        return bytes_of(self.mark(data, len(data), seed))

    def note(self, bytes mark not None, tuple found not None):
        """What was found in the block with that mark."""
        cdef fg_mark clean
        if found:
            self.add_found(mark, found)
        else:
            memcpy(&clean, PyBytes_AS_STRING(mark), sizeof(fg_mark))
            self.add_clean(clean)

    def get(self, bytes mark not None):
        """What was noted of it, or None."""
        cdef fg_mark clean
        memcpy(&clean, PyBytes_AS_STRING(mark), sizeof(fg_mark))
        return () if self.is_clean(clean) else self.found(mark)

    cdef fg_mark mark(self, const unsigned char* p, size_t n, uint64_t seed) noexcept:
        cdef fg_mark mark = fg_mark_of(p, n, seed, &self.key)
        if mark.lane[0] == 0:
            mark.lane[0] = 1  # zero is an empty slot
        return mark

    cdef bint is_clean(self, fg_mark mark) noexcept:
        if holds(self.young, self.mask, mark):
            return True
        if not holds(self.old, self.mask, mark):
            return False
        self.add_clean(mark)
        return True

    cdef int add_clean(self, fg_mark mark) except -1:
        cdef fg_mark* spare
        cdef size_t at
        for _ in range(2):
            if self.count < self.limit:
                at = mark.lane[0] & self.mask
                for _ in range(PROBES):
                    if self.young[at].lane[0] == 0:
                        self.young[at] = mark
                        self.count += 1
                        return 0
                    if same_mark(self.young[at], mark):
                        return 0
                    at = (at + 1) & self.mask
            spare = self.old
            self.old = self.young
            self.young = spare
            memset(self.young, 0, (self.mask + 1) * sizeof(fg_mark))
            self.count = 0
        return 0

    cdef object found(self, bytes name):
        found = self.found_young.get(name)
        if found is None:
            found = self.found_old.get(name)
            if found is not None:
                self.add_found(name, found)
        return found

    cdef int add_found(self, bytes name, object found) except -1:
        if <size_t>len(self.found_young) >= self.found_limit:
            self.found_old, self.found_young = self.found_young, {}
        self.found_young[name] = found
        return 0


cdef bint holds(const fg_mark* table, size_t mask, fg_mark mark) noexcept:
    cdef size_t at = mark.lane[0] & mask
    for _ in range(PROBES):
        if table[at].lane[0] == 0:
            return False
        if same_mark(table[at], mark):
            return True
        at = (at + 1) & mask
    return False
