cimport cython

from fastgate._core.escrow cimport Hold
from fastgate.call cimport Call
from fastgate.gateway.allowance cimport Allowances, Draw


@cython.locals(draw=Draw, held=Hold)
cpdef bint at_once(Call call, list plan, Allowances allowances) except *


cpdef Draw find(Call call, Allowances allowances)


cpdef object keep(Call call, Draw draw, Hold held)
