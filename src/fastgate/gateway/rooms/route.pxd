cimport cython

from fastgate._core.request cimport RequestView
from fastgate.bound cimport bound_nano
from fastgate.call cimport Call
from fastgate.routing.router cimport Router


@cython.locals(router=Router, candidates=list)
cpdef list plan(Call call)


@cython.locals(request=RequestView)
cpdef list lone(Call call)


@cython.locals(router=Router)
cpdef object learn(Call call)
