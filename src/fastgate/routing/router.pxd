cimport cython
from libc.stdint cimport int64_t, uint64_t

from fastgate._core.money cimport PriceRow
from fastgate._core.pump cimport Pump
from fastgate._core.request cimport RequestView
from fastgate._core.usage cimport Usage
from fastgate._core.warmth cimport Conversation, WarmthTable
from fastgate.bound cimport bound_nano
from fastgate.call cimport Call
from fastgate.routing.choice cimport Offer, choose, offered
from fastgate.routing.health cimport Breaker
from fastgate.routing.price cimport Turn, later_nano, turn_nano


cdef class Place:
    cdef public object endpoint
    cdef public str model
    cdef public PriceRow row
    cdef public str label
    cdef public uint64_t number
    cdef public int64_t rank
    cdef public int64_t weight
    cdef public int64_t key_weight
    cdef public str name
    cdef public Breaker breaker
    cdef public Breaker pace


cdef class Router:
    cdef public object prices
    cdef public tuple endpoints
    cdef public str strategy
    cdef public int64_t latency_max_us
    cdef public WarmthTable warmth
    cdef public dict breakers
    cdef public dict paces
    cdef public dict numbers
    cdef public dict labels
    cdef dict _places

    cpdef list places(self, str model)

    @cython.locals(found=list)
    cdef list _find(self, str model)

    cpdef list plan(self, Call call)

    @cython.locals(request=RequestView, candidates=list, place=Place)
    cpdef list arrange(self, Call call, list places)

    @cython.locals(
        own=Conversation, home=Conversation, key=str, party=str, turn=Turn, system_bytes=int64_t, offers=list,
        offer=Offer, at=int, left_ns=int64_t, until_ns=int64_t, turns=int64_t, label=str, index=int,
        point=uint64_t, order=list, reason=str, flags=int, place=Place,
    )
    cpdef list decide(self, Call call, RequestView request, list places)

    @cython.locals(
        offers=list, offer=Offer, now_ns=int64_t, mono=int64_t, best=int64_t, warm=int64_t, asked=str, place=Place,
        breaker=Breaker, pace=Breaker,
    )
    cpdef list offers(self, Call call, list places, Turn turn, Conversation own, int64_t system_bytes)

    @cython.locals(body_bytes=int64_t, output=int64_t, prompt=int64_t)
    cpdef Turn turn(self, Call call, RequestView request, Conversation known)

    @cython.locals(request=RequestView, pump=Pump, usage=Usage)
    cpdef object learn(self, Call call)


cpdef str label_of(endpoint)


cpdef str party_of(str agent, str request_class)
