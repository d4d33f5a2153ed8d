# What the fields of a Call are in C (call.py says what they mean). It has no others: a dictionary costs each call one.
# Money is a Python integer: compiled arithmetic on 64 bits would wrap without a word.

from libc.stdint cimport int64_t

from fastgate._core.clock cimport mono_ns, wall_ns
from fastgate._core.escrow cimport Hold
from fastgate._core.head cimport RequestHead
from fastgate._core.meter cimport Meter
from fastgate._core.money cimport PriceRow
from fastgate._core.pump cimport Pump
from fastgate._core.request cimport RequestView
from fastgate._core.usage cimport Usage
from fastgate.snapshot cimport Snapshot


cdef class Call:
    cdef public int64_t n
    cdef public str id
    cdef public Snapshot snapshot
    cdef public str route
    cdef public object proto
    cdef public object scope
    cdef public int64_t at_ns
    cdef public int64_t start_ns
    cdef public list attempts
    cdef public int64_t begun_ns

    cdef public RequestHead head
    cdef public bytes body
    cdef public str query
    cdef public object authority
    cdef public object front
    cdef public object own_lines
    cdef public bint own_version
    cdef public str session
    cdef public str system_sha256
    cdef public RequestView request
    cdef public object reading
    cdef public object waiting
    cdef public object paced
    cdef public bint late
    cdef public int64_t received

    cdef public object principal
    cdef public object gate

    cdef public str guard
    cdef public bint screened
    cdef public tuple verdicts
    cdef public tuple sightings
    cdef public object review
    cdef public object tap
    cdef public str cache
    cdef public str budget
    cdef public object stages
    cdef public object saved_nano
    cdef public object saved_downgrade_nano
    cdef public object saved_arbitration_nano
    cdef public Hold hold
    cdef public object draw
    cdef public object cells
    cdef public str model_asked
    cdef public tuple preferred
    cdef public bint decided
    cdef public object ladder
    cdef public object placed

    cdef public object asked
    cdef public str namespace
    cdef public object hit
    cdef public object origin

    cdef public str model
    cdef public str home
    cdef public str reason
    cdef public object decision
    cdef public str routed
    cdef public object left_out
    cdef public object recast
    cdef public object endpoint
    cdef public PriceRow price
    cdef public object bound_nano
    cdef public Meter meter
    cdef public Pump pump
    cdef public object key_gate
    cdef public object pool
    cdef public int slot
    cdef public object attempted_nano
    cdef public bint sent
    cdef public bint throttled
    cdef public object watched

    cdef public bint answered
    cdef public int status
    cdef public int64_t head_us
    cdef public int64_t response_bytes
    cdef public str upstream_request_id
    cdef public str outcome
    cdef public str error

    cdef public Usage usage
    cdef public str usage_state
    cdef public object cost_nano

    cpdef int64_t elapsed_us(self) except? -1
