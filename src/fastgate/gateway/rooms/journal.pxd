cimport cython

from fastgate._core.head cimport RequestHead
from fastgate._core.request cimport RequestView
from fastgate._core.usage cimport Usage
from fastgate.call cimport Call


@cython.locals(request=RequestView, head=RequestHead, model=str, used=str, tools=tuple)
cpdef bytes encode(Call call)


@cython.locals(used=Usage, tools=dict)
cpdef tuple usage_of(Call call)
