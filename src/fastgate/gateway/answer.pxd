cimport cython

from fastgate._core.money cimport format_usd
from fastgate._core.pump cimport Pump
from fastgate.call cimport Call
from fastgate.headers cimport HeaderSet


@cython.locals(headers=list, names=HeaderSet)
cpdef list audit_headers(Call call, bint stream)


cpdef object whole_body(Call call, Pump pump)


cpdef list upstream_headers(Call call, Pump pump)


@cython.locals(headers=list)
cpdef object send_whole(Call call, Pump pump)
