from fastgate._core.clock cimport mono_ns
from fastgate.call cimport Call


cpdef object admit(Call call, rates)
