from fastgate._core.clock cimport mono_ns
from fastgate.call cimport Call


cdef dict _verdicts


cpdef bint allowed(str model, tuple globs) except *


cpdef object admit(Call call, rates)
