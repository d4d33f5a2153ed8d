# Compiled, for every call asks whether the worker is draining.

cdef class Board:
    cdef object _map
    cdef object _page
    cdef object _generation
    cdef object _draining
    cdef object _stop_at_ns
    cdef object _wanted_at_ns
    cdef object _stages_at_ns
