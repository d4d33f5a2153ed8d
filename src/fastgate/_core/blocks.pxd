"""The walk over a request body that gives its content blocks (block.pxd), those known as clean left out."""

from libc.stdint cimport uint64_t

from fastgate._core.memo cimport Memo, fg_mark
from fastgate._core.span cimport Span, Text, byte_t

# A tool that was used in the conversation.
cdef struct Use:
    Text id
    Text name
    Span input


# Where the walk stands, for the positions of blocks.
cdef struct Place:
    int kind
    int area
    Py_ssize_t first
    Py_ssize_t second
    Py_ssize_t third
    Text name
    Text id


# The members of a content block that matter, of any type of block.
cdef struct Members:
    Text type
    Text name
    Text id
    Text use_id
    Span text
    Span content
    Span input
    Span source
    Span citations
    Span title
    Span context


cdef class Blocks:
    cdef readonly list noted  # new blocks, and those in which something was found before
    cdef readonly Py_ssize_t count
    cdef readonly Py_ssize_t media  # images, PDFs and the like: nothing here can read them
    cdef uint64_t seed  # whose blocks they are: what the memo knows of another's says nothing of these
    cdef bytes body
    cdef const byte_t* start
    cdef const byte_t* end
    cdef Memo memo  # None where nothing was judged before
    cdef str role
    cdef bint seams  # whether seams are wanted
    cdef Span left  # the string before, of which kind and whose
    cdef int left_kind
    cdef str left_role
    cdef Use* uses
    cdef Py_ssize_t use_n
    cdef Py_ssize_t use_room

    cdef int take(self, Span value, Place* place, int reading) except -1
    cdef int take_seam(self, Span value, Place* place) except -1
    cdef fg_mark mark_of(self, Span value, Place* place, int reading) noexcept
    cdef uint64_t seed_of(self, int kind, int reading) noexcept
    cdef int add_use(self, Members* members) except -1
    cdef const byte_t* walk_top(self, const byte_t* p) except NULL
    cdef const byte_t* walk_messages(self, const byte_t* p) except NULL
    cdef const byte_t* walk_message(self, const byte_t* p, Py_ssize_t index) except NULL
    cdef const byte_t* walk_content(self, const byte_t* p, Place* place, bint inner) except NULL
    cdef const byte_t* walk_block(self, const byte_t* p, Place* place, bint inner) except NULL
    cdef int take_block(self, Span whole, Members* members, Place* place, bint inner) except -1
    cdef int take_document(self, Span whole, Members* members, Place* place) except -1


cpdef Blocks read_blocks(bytes body, Memo memo, uint64_t seed=*, bint seams=*)
cpdef Blocks read_answer(bytes body)
