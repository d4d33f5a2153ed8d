cimport cython
from libc.stdint cimport int64_t

from fastgate._core.request cimport RequestView
from fastgate.caching.asked cimport Asked
from fastgate.caching.key cimport Key
from fastgate.caching.known cimport Asker, Known, Question
from fastgate.caching.memory cimport Memory, alive
from fastgate.call cimport Call


@cython.locals(key=Key, oldest_ns=int64_t, memory=Memory)
cpdef bint recall(Call call, answers) except *


@cython.locals(key=Key)
cpdef bint ask(Call call, policy, answers) except *


@cython.locals(request=RequestView, known=Known, asker=Asker, question=Question)
cpdef Key key_of(Call call, policy, answers, said)


@cython.locals(ttl_ns=int64_t, oldest_ns=int64_t)
cpdef Asked asked_of(Call call, policy, said, Key key)


cpdef int64_t oldest_of(Call call, said) except? -1


cpdef object overrides(Call call, policy)


@cython.locals(body=bytes)
cpdef bint give(Call call, entry, str how) except *


@cython.locals(terms=tuple, passed=tuple, out=bytes)
cpdef bytes through(tap, Call call, entry, str form, bytes body)


cpdef object worth_of(Call call, entry)
