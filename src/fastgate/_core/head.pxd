cdef class RequestHead:
    cdef readonly str api_key
    cdef readonly str bearer
    cdef readonly str session
    cdef readonly str agent
    cdef readonly str parent_agent
    cdef readonly str request_class
    cdef readonly str content_type
    cdef readonly bytes lines
    cdef readonly object own
    cdef readonly Py_ssize_t content_length
    cdef readonly int hosts
    cdef readonly bint has_version
    cdef readonly bint encoded
    cdef readonly bint chunked
