cimport cython

from fastgate._core.request cimport RequestView
from fastgate.bound cimport bound_nano
from fastgate.call cimport Call


@cython.locals(request=RequestView, candidates=list, refused=cython.bint)
cpdef list plan(Call call)
