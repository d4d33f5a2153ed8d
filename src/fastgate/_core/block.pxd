"""One content block of a request body, its text, and the way from a place in the text back to the body's bytes.

A block's text is what its reader gets: strings unescaped. A block that is JSON (what a tool is given, how one is
defined) is read as one line a leaf, `name: value`, the name before the first item only of an array, and on a line of
its own before a value of several lines. Each name, string and number of it is a segment: bytes of the text that stand
for bytes of the body. What lies between segments stands for nothing.
"""

from fastgate._core.span cimport Span, Text, byte_t

cdef enum Kind:
    KIND_SYSTEM, KIND_USER_TEXT, KIND_ASSISTANT_TEXT, KIND_TOOL_RESULT, KIND_TOOL_USE_INPUT, KIND_DOCUMENT
    KIND_TOOL_SCHEMA

cdef enum Area:
    AREA_SYSTEM, AREA_MESSAGES, AREA_TOOLS, AREA_OTHER

# What of a JSON block is read: all; or not the members that hold signatures, ciphers and references. A seam is the end
# of a string and the beginning of the next one.
cdef enum Reading:
    READ_STRING, READ_ALL, READ_PUBLIC, READ_SEAM


# Bytes of the text from `at`, that stand for the raw bytes [raw, raw + n); `quoted`: they lie between quotes.
cdef struct Segment:
    Py_ssize_t at
    Py_ssize_t raw
    Py_ssize_t n
    bint quoted


cdef class Block:
    cdef readonly int kind
    cdef readonly str role
    cdef readonly bytes mark
    cdef readonly object found  # what the memo knows of it; None for a new block
    cdef readonly Py_ssize_t start  # the block's value in the body
    cdef readonly Py_ssize_t end
    cdef Py_ssize_t left_end  # of a seam: where the first string ends and the second begins
    cdef Py_ssize_t right_start
    cdef int reading
    cdef int area
    cdef Py_ssize_t first
    cdef Py_ssize_t second
    cdef Py_ssize_t third
    cdef bytes body
    cdef bytes plain
    cdef Span tool_name
    cdef Span use_id
    cdef Segment* segments
    cdef Py_ssize_t segment_n
    cdef Py_ssize_t segment_room

    cdef int decode(self) except -1
    cdef const byte_t* read_leaves(self, const byte_t* p, const byte_t* end, byte_t** out) except NULL
    cdef int add_text(self, Text text, byte_t** out) except -1
    cdef int add_segment(self, Py_ssize_t at, Py_ssize_t raw, Py_ssize_t n, bint quoted) except -1


cdef str text_from(Text text)
cdef bytes plain_of(Text part)
