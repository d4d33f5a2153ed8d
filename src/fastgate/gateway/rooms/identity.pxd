cimport cython

from fastgate._core.head cimport RequestHead
from fastgate.call cimport Call
from fastgate.snapshot cimport Snapshot


@cython.locals(head=RequestHead)
cpdef object identify(Call call, digester)


cpdef object find(Snapshot snapshot, digester, str secret, now_ns)


cpdef object tagged(Snapshot snapshot, row, list own)
