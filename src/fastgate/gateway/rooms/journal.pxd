cimport cython

from fastgate._core.head cimport RequestHead
from fastgate._core.pack cimport Packer
from fastgate._core.request cimport RequestView
from fastgate._core.usage cimport Usage
from fastgate.call cimport Call


@cython.locals(request=RequestView, head=RequestHead, out=Packer)
cpdef bytes encode(Call call)


cdef str clipped(str model)


@cython.locals(tools=dict)
cdef object put_usage(Packer out, Usage used)
