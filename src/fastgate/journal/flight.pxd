cimport cython

from fastgate._core.head cimport RequestHead
from fastgate._core.money cimport PriceRow
from fastgate._core.pack cimport Packer
from fastgate._core.request cimport RequestView
from fastgate.call cimport Call


@cython.locals(request=RequestView, head=RequestHead, price=PriceRow, out=Packer, blob=bytes)
cpdef bytes encode_note(Call call)
