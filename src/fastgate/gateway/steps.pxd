cimport cython

from fastgate.call cimport Call
from fastgate.gateway.answer cimport send_whole
from fastgate.gateway.rooms.edge cimport open_body, open_call
from fastgate.gateway.rooms.identity cimport identify
from fastgate.gateway.rooms.journal cimport encode
from fastgate.gateway.rooms.ledger cimport release, settle
from fastgate.gateway.rooms.policy cimport admit
from fastgate.gateway.worker cimport Worker


cpdef object enter(Call call, Worker worker, list items)


cpdef object proceed(Call call, Worker worker)


cpdef object failed(Call call, cause)


@cython.locals(record=bytes)
cpdef object finish(Call call, Worker worker, error, transport)


cpdef object give_back(Call call, Worker worker)


cpdef object round_off(Call call, Worker worker, error, transport)
