from libc.string cimport memcmp


cdef inline bint same(const char *name, Py_ssize_t size, const char *other, Py_ssize_t other_size) noexcept nogil:
    return size == other_size and memcmp(name, other, <size_t>size) == 0


cdef inline bint starts(const char *name, Py_ssize_t size, const char *prefix, Py_ssize_t prefix_size) noexcept nogil:
    return size > prefix_size and memcmp(name, prefix, <size_t>prefix_size) == 0


cdef inline bint returned(const char *name, Py_ssize_t size) noexcept nogil:
    """Whether an upstream response header travels back to the client: what says how to read the body and when to try
    again, and `anthropic-*` but for the quotas, which are the provider key's and not the caller's."""
    if starts(name, size, b"anthropic-", 10):
        return not starts(name, size, b"anthropic-ratelimit-", 20)
    return (
        same(name, size, b"content-type", 12)
        or same(name, size, b"content-encoding", 16)
        or same(name, size, b"retry-after", 11)
        or same(name, size, b"retry-after-ms", 14)
        or same(name, size, b"x-should-retry", 14)
    )


cdef class RequestHead:
    cdef readonly str api_key
    cdef readonly str bearer
    cdef readonly str session
    cdef readonly str agent
    cdef readonly str parent_agent
    cdef readonly str request_class
    cdef readonly str content_type
    cdef readonly str host
    cdef readonly bytes lines
    cdef readonly object own
    cdef readonly Py_ssize_t content_length
    cdef readonly int hosts
    cdef readonly bint has_version
    cdef readonly bint encoded
    cdef readonly bint chunked
    cdef readonly bint misframed
    cdef readonly bint host_fine


cpdef RequestHead read_head(list items)

cpdef bint printable(str text) except -1
