cimport cython
from libc.stdint cimport int64_t

from fastgate._core.pump cimport Pump
from fastgate.call cimport Call


@cython.locals(call=Call, pump=Pump, total_ns=int64_t, age_ns=int64_t)
cpdef object look(list calls, int64_t now_ns, bint stop, bint draining)


cpdef double body_allowance_ns(Call call) except? -1
