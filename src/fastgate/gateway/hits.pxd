cimport cython

from fastgate._core.request cimport RequestView
from fastgate.caching.asked cimport Asked
from fastgate.caching.key cimport scope_of
from fastgate.caching.known cimport Known, Question
from fastgate.call cimport Call


@cython.locals(asked=Asked)
cpdef bint recall(Call call, answers) except *


@cython.locals(request=RequestView, scope=tuple, model=str, known=Known, question=Question)
cpdef bint ask(Call call, policy, answers) except *


cpdef object overrides(Call call, policy)


@cython.locals(body=bytes)
cpdef bint give(Call call, entry, str how) except *


cpdef object worth_of(Call call, entry)
