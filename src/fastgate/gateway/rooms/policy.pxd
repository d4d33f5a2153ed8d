from fastgate._core.clock cimport mono_ns
from fastgate.call cimport Call


cpdef bint allowed(str model, tuple globs) except *


cpdef object admit(Call call, rates)
