cimport cython

from fastgate._core.head cimport RequestHead
from fastgate.call cimport Call


@cython.locals(head=RequestHead)
cpdef object identify(Call call, digester)


cpdef object find(snapshot, digester, str secret, now_ns)


cpdef object tagged(snapshot, row, list own)
