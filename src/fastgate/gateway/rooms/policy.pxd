from fastgate.call cimport Call


cpdef object admit(Call call, rates)
