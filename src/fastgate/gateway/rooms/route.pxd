cimport cython

from fastgate._core.money cimport PriceRow
from fastgate._core.request cimport RequestView
from fastgate.call cimport Call


@cython.locals(request=RequestView, candidates=list)
cpdef list plan(Call call)


cpdef object bound_nano(RequestView request, PriceRow row)
