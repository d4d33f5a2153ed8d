cimport cython

from fastgate._core.credit cimport Credit
from fastgate._core.pump cimport Pump
from fastgate._core.request cimport RequestView
from fastgate.call cimport Call
from fastgate.gateway.drawing cimport at_once
from fastgate.gateway.exchange cimport accepted, begin, choose, claim, conclude, early_error, passed_on
from fastgate.gateway.connections cimport Connections
from fastgate.gateway.hits cimport recall
from fastgate.gateway.judging cimport judge
from fastgate.gateway.rooms.route cimport plan
from fastgate.gateway.steps cimport enter, failed, finish, proceed
from fastgate.gateway.turns cimport Turns
from fastgate.gateway.worker cimport Worker
from fastgate.snapshot cimport Snapshot


@cython.locals(call=Call)
cpdef Call new_call(Worker worker, scope, proto, str route)


@cython.locals(call=Call)
cpdef Plain open_call(Worker worker, watcher)


cdef class Plain:
    cdef Call call
    cdef Worker worker
    cdef object watcher
    cdef public object reading
    cdef object transport
    cdef Credit credit
    cdef bint over

    @cython.locals(turns=Turns)
    cpdef object begin(self, reading)

    @cython.locals(call=Call)
    cpdef object go(self, reading)

    cpdef bint recall(self) except *

    @cython.locals(call=Call, worker=Worker, snapshot=Snapshot, request=RequestView, pool=Connections, pump=Pump)
    cpdef bint send(self) except *

    @cython.locals(call=Call, pump=Pump)
    cpdef object answered(self)

    @cython.locals(call=Call)
    cpdef object pass_on(self, Pump pump)

    @cython.locals(call=Call, credit=Credit)
    cpdef object passed(self)

    cpdef object drop(self)

    @cython.locals(call=Call, worker=Worker)
    cpdef object end(self, error)

    @cython.locals(call=Call, worker=Worker)
    cpdef object hand_over(self)
