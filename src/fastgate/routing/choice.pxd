cimport cython
from libc.stdint cimport int64_t, uint64_t


cdef class Offer:
    cdef public str place
    cdef public str endpoint
    cdef public str model
    cdef public bint healthy
    cdef public int64_t warm
    cdef public object price_nano
    cdef public object later_nano
    cdef public int64_t latency_us
    cdef public int64_t rank
    cdef public int64_t weight
    cdef public int64_t key_weight

    cpdef tuple fields(self)


@cython.locals(offer=Offer)
cpdef Offer offered(
    str place, str model, bint healthy, int64_t warm, object price_nano, int64_t latency_us, int64_t rank,
    int64_t weight, int64_t key_weight, str endpoint, object later_nano=*
)


@cython.locals(order=list, first=int, reason=str, keyed=cython.bint, offer=Offer)
cpdef tuple choose(
    str strategy, list offers, int home, bint sticky, int64_t turns, uint64_t point, int64_t latency_max_us
)


cpdef object whole_of(Offer offer, int64_t turns)


@cython.locals(scores=list, order=list, offer=Offer, index=int, at=int, favourite=int)
cpdef list ranked(str strategy, list offers, int64_t turns, uint64_t point, int64_t latency_max_us)
