"""Where two strings of a body meet: seam.pyx."""

from fastgate._core.span cimport Span, byte_t


cdef bint goes_on(Span left, Span right) noexcept
cdef const byte_t* open_pem(const byte_t* start, const byte_t* end) noexcept
cdef const byte_t* seam_start(const byte_t* first, const byte_t* end) noexcept
cdef const byte_t* seam_end(const byte_t* first, const byte_t* end, bint in_pem) noexcept
