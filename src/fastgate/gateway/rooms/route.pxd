cimport cython

from fastgate._core.request cimport RequestView
from fastgate.bound cimport bound_nano
from fastgate.call cimport Call
from fastgate.prices.book cimport PriceBook
from fastgate.routing.router cimport Router
from fastgate.snapshot cimport Snapshot


@cython.locals(snapshot=Snapshot, router=Router, candidates=list)
cpdef list plan(Call call)


@cython.locals(snapshot=Snapshot, request=RequestView, model=str, served=tuple)
cpdef list lone(Call call)


@cython.locals(prices=PriceBook)
cdef tuple serving(Snapshot snapshot, str model)


@cython.locals(router=Router)
cpdef object learn(Call call)
