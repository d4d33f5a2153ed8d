from fastgate.call cimport Call


cpdef object admit(Call call, object rates)
cpdef object leave(Call call)
