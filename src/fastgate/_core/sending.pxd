# Send a request; whether the transport was given any of it. On a plain socket (`fd`) at once, in one system call: the
# transport would wait for the end of the loop's turn. What the socket does not take is the transport's; `lent`: it was
# given something before, which may still be there.
cdef bint send_now(int fd, object transport, bytes head, bytes body, bint lent) except -1

# Whether a header value may be given to a client: printable ASCII, of a length that clients take.
cdef bint passable(const char *value, Py_ssize_t size) noexcept

# The head of a request, in one piece.
cpdef bytes request_head(bytes begin, str query, bytes fixed, bytes version, bytes lines, Py_ssize_t length)
