cimport cython

from fastgate._core.clock cimport mono_ns
from fastgate._core.flight cimport FlightTable
from fastgate._core.meter cimport Meter, new_meter
from fastgate._core.pump cimport Pump
from fastgate._core.request cimport RequestView
from fastgate.call cimport Call
from fastgate.gateway.connections cimport Connections
from fastgate.journal.flight cimport encode_note


cpdef object claim(Call call, FlightTable flight)


cpdef bint is_ahead(Call call) except *


@cython.locals(request=RequestView, meter=Meter, stream=bint)
cpdef object begin(Call call, Connections pool, Pump pump, bytes head, bytes body, FlightTable flight, told=*)


@cython.locals(pump=Pump, meter=Meter, body=bytes)
cpdef object conclude(Call call, Connections pool, FlightTable flight)


cpdef object check_status(Call call, Pump pump, object endpoint)


@cython.locals(pump=Pump)
cpdef object note_attempt(Call call, str error)


cpdef object renew(Call call)


@cython.locals(model=str)
cpdef object choose(Call call, tuple candidate)


@cython.locals(pump=Pump)
cpdef object accepted(Call call, Connections pool, str why)


@cython.locals(meter=Meter)
cpdef bint early_error(Call call, Pump pump) except *


@cython.locals(pump=Pump, meter=Meter)
cpdef bint passed_on(Call call, transport) except *


cpdef object tell(Call call, str what)
