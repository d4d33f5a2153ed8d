cimport cython

from fastgate._core.request cimport RequestView
from fastgate.call cimport Call


@cython.locals(body=bytes, tools=tuple)
cpdef bint judge(Call call) except *


@cython.locals(request=RequestView, tools=tuple)
cpdef object take(Call call, screened)


cpdef object watch(Call call, guards, tuple tools)


cpdef object note(Call call, tuple verdict)
