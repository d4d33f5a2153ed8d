# cython: language_level=3
"""Back-pressure by credit: how much of what was pushed to one client its kernel has not acknowledged yet.

The server's streamed responses take bytes without bound, so the relay asks the kernel instead: TCP_INFO on the client's
own descriptor, found by its peer address among the process's descriptors. Linux only. The descriptor belongs to the
server and may be closed and reused at any time, so each reading duplicates it first and then checks whose it is.

Memory of one slow client is bounded by WINDOW_BYTES + 2 * CHECK_BYTES + one upstream read (256 KiB, uvloop's buffer),
1 MiB in all.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memset

import os
import socket

__all__ = ["CHECK_BYTES", "WINDOW_BYTES", "Credit", "locate_all"]

CHECK_BYTES = CHECK
"""The kernel is asked once per so many bytes pushed; a stream shorter than this pays nothing."""

WINDOW_BYTES = WINDOW
"""The upstream is paused while more than this is unacknowledged. Larger than a bandwidth-delay product of 30 Mbit/s
over 100 ms; SSE never comes near it."""

cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    cdef struct sockaddr:
        pass
    int getpeername(int fd, sockaddr *address, socklen_t *size)
    int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
    int shutdown(int fd, int how)
    int SHUT_RDWR

cdef extern from "<netinet/in.h>" nogil:
    int IPPROTO_TCP
    int AF_INET
    int AF_INET6
    cdef struct in_addr:
        unsigned int s_addr
    cdef struct in6_addr:
        uint8_t s6_addr[16]
    cdef struct sockaddr_in:
        unsigned short sin_family
        unsigned short sin_port
        in_addr sin_addr
    cdef struct sockaddr_in6:
        unsigned short sin6_family
        unsigned short sin6_port
        in6_addr sin6_addr

cdef extern from "<linux/tcp.h>" nogil:
    int TCP_INFO
    cdef struct tcp_info:
        uint8_t tcpi_state
        uint64_t tcpi_bytes_acked

cdef extern from "<sys/ioctl.h>" nogil:
    int ioctl(int fd, unsigned long request, ...)
    unsigned long TIOCOUTQ

cdef extern from "<poll.h>" nogil:
    short POLLOUT
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd *fds, unsigned long count, int timeout_ms)

cdef extern from "<unistd.h>" nogil:
    int dup(int fd)
    int close(int fd)

cdef extern from *:
    """
    union fastgate_peer { struct sockaddr any; struct sockaddr_in v4; struct sockaddr_in6 v6; };
    """
    cdef union fastgate_peer:
        sockaddr any
        sockaddr_in v4
        sockaddr_in6 v6


# Peer address -> descriptor, as last seen. Verified at every use.
cdef dict known = {}


cdef str peer_of(int fd):
    """The peer of a socket as the server prints it (`1.2.3.4:5` or `[::1]:5`), or None."""
    cdef fastgate_peer peer
    cdef socklen_t size = sizeof(peer)
    if getpeername(fd, &peer.any, &size) != 0:
        return None
    cdef unsigned char *raw
    if peer.v4.sin_family == AF_INET:
        raw = <unsigned char *>&peer.v4.sin_addr
        return f"{raw[0]}.{raw[1]}.{raw[2]}.{raw[3]}:{socket.ntohs(peer.v4.sin_port)}"
    if peer.v6.sin6_family == AF_INET6:
        raw = <unsigned char *>&peer.v6.sin6_addr
        return f"[{socket.inet_ntop(socket.AF_INET6, raw[:16])}]:{socket.ntohs(peer.v6.sin6_port)}"
    return None


def locate_all():
    """Scan the process's descriptors for connected sockets and remember each one's peer. Takes about a microsecond a
    descriptor; call it off the loop. Returns how many were found."""
    cdef dict found = {}
    for entry in os.listdir("/proc/self/fd"):
        peer = peer_of(int(entry))
        if peer is not None:
            found[peer] = int(entry)
    known.clear()
    known.update(found)
    return len(found)


@cython.final
@cython.freelist(64)
cdef class Credit:
    """The account of one streamed response: bytes pushed against bytes acknowledged. `located` once the client's
    descriptor is known."""

    def __cinit__(self, str client):
        self.client = client

    cdef void push(self, Py_ssize_t size) noexcept:
        """Count one chunk with its framing: hex length, two CRLF (the server writes one HTTP chunk a push)."""
        cdef Py_ssize_t rest = size
        self.pushed += size + 4
        while rest:
            self.pushed += 1
            rest >>= 4

    cdef bint due(self) noexcept:
        """Whether enough was pushed since the last reading to ask the kernel again."""
        return self.pushed - self.checked >= CHECK

    cdef int64_t outstanding(self) except -3:
        """Bytes pushed and not acknowledged: -1 when the descriptor is not known, -2 when the client is gone.

        The first reading only sets the base line, so the figure may be short by what was in flight then: at most
        CHECK_BYTES and one upstream read.
        """
        cdef fastgate_peer_info info
        cdef int64_t value
        self.checked = self.pushed
        if not read_info(self, &info):
            return -2 if self.located else -1  # its descriptor was known and is another's now, or nobody's
        if info.closed:
            return -2
        if not self.located:
            self.located = True
            self.baseline = info.acked
            self.base_pushed = self.pushed
        value = (self.pushed - self.base_pushed) - <int64_t>(info.acked - self.baseline)
        if value < 0:
            self.baseline = info.acked
            self.base_pushed = self.pushed
            return 0
        return value

    def add(self, Py_ssize_t size):
        """Count `size` bytes as pushed; for tests."""
        self.push(size)

    def unacknowledged(self):
        """`outstanding` for Python: bytes, -1 unknown descriptor, -2 client gone."""
        return self.outstanding()

    def written(self):
        """Bytes that the server has written to the client's socket, of which differences alone mean anything, and
        whether it takes more now; None when its descriptor is not known or the client is gone."""
        cdef fastgate_peer_info info
        if not read_info(self, &info, True) or info.closed:
            return None
        return info.acked + info.queued, bool(info.writable)

    def cut(self):
        """Shut the client's connection down both ways: the one way to end a streamed response as broken. False when
        its descriptor is not known."""
        cdef int copy = own_copy(self)
        if copy < 0:
            return False
        shutdown(copy, SHUT_RDWR)
        close(copy)
        return True


cdef struct fastgate_peer_info:
    uint64_t acked
    uint64_t queued
    bint writable
    bint closed


cdef int own_copy(Credit credit) except -2:
    """A duplicate of the client's descriptor, verified to be the client's; -1 when it is not known (any more)."""
    cdef int copy
    cdef object fd = known.get(credit.client)
    if fd is None:
        return -1
    if peer_of(<int>fd) != credit.client:
        # The number may be a file's by now: to close a copy of that would take from this process the locks that SQLite
        # and LMDB hold on it.
        known.pop(credit.client, None)
        return -1
    copy = dup(<int>fd)
    if copy < 0:
        return -1
    if peer_of(copy) != credit.client:
        close(copy)
        known.pop(credit.client, None)
        return -1
    return copy


cdef int read_info(Credit credit, fastgate_peer_info *out, bint rest=False) except -1:
    """What the kernel says of the client's connection, and with `rest` of what it has not sent yet; 0 where it cannot
    be asked."""
    cdef tcp_info info
    cdef socklen_t size = sizeof(tcp_info)
    cdef int copy = own_copy(credit)
    cdef int failed, queued = 0
    cdef pollfd ready
    if copy < 0:
        return 0
    memset(&info, 0, sizeof(tcp_info))
    failed = getsockopt(copy, IPPROTO_TCP, TCP_INFO, &info, &size)
    if rest:
        # Acknowledged bytes first: what is acknowledged in between counts twice, and so as movement, never as none.
        failed |= ioctl(copy, TIOCOUTQ, &queued)
        ready.fd, ready.events, ready.revents = copy, POLLOUT, 0
        poll(&ready, 1, 0)
        out.queued = queued
        out.writable = ready.revents & POLLOUT != 0
    close(copy)
    if failed:
        return 0
    out.acked = info.tcpi_bytes_acked
    out.closed = info.tcpi_state == 7  # TCP_CLOSE: reset, or shut down by us.
    return 1
