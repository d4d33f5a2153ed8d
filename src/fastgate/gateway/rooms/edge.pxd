cimport cython

from fastgate._core.head cimport RequestHead, read_head
from fastgate._core.request cimport RequestView
from fastgate.call cimport Call
from fastgate.dialects.model_id cimport judge_model


@cython.locals(head=RequestHead)
cpdef object open_call(Call call, list items)


@cython.locals(head=RequestHead)
cpdef RequestHead judge_head(list items, authority, bint host_needed=*)


@cython.locals(request=RequestView)
cpdef object open_body(Call call)


@cython.locals(user_id=str)
cpdef str session_of(Call call)
