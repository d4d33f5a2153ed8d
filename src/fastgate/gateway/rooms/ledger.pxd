cimport cython

from fastgate._core.meter cimport Meter
from fastgate._core.money cimport PriceRow
from fastgate._core.usage cimport Usage
from fastgate.call cimport Call


cpdef object settle(Call call)


@cython.locals(meter=Meter, row=PriceRow, usage=Usage)
cpdef object price_answer(Call call)


@cython.locals(meter=Meter)
cpdef object refused_upstream(Call call)


cpdef object release(Call call)
