"""One validating pass over a request body. Rules and reasons: request.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum Kind:
    KIND_TEXT
    KIND_TOOL_USE
    KIND_TOOL_RESULT
    KIND_IMAGE
    KIND_DOCUMENT
    KIND_THINKING
    KIND_OTHER


# A content block of a message, in the order of the body; offsets of 32 bits, as bodies end long before.
cdef struct Piece:
    uint32_t start
    uint32_t end
    uint32_t message
    unsigned char kind  # a Kind
    unsigned char marked  # it has a cache_control
    unsigned char bare  # the message's content is this string
    unsigned char marks  # what its cache_control says (Mark in pieces.pxd)
    uint64_t whole  # its print


cdef class RequestView:
    # Content blocks, noted only in bodies large enough for a prompt cache (PIECES_BYTES).
    cdef Piece* pieces
    cdef Py_ssize_t piece_n
    cdef Py_ssize_t piece_room
    cdef Py_ssize_t tools_start
    cdef Py_ssize_t tools_end
    # Where the value of the top-level `model` stands, quotes included; `system` as it was sent. -1 when absent.
    cdef readonly Py_ssize_t model_start
    cdef readonly Py_ssize_t model_end
    cdef readonly Py_ssize_t system_start
    cdef readonly Py_ssize_t system_end
    cdef readonly Py_ssize_t max_tokens_start
    cdef readonly Py_ssize_t max_tokens_end
    cdef readonly str model
    cdef readonly str metadata_user_id
    cdef readonly str speed
    cdef readonly str anthropic_version
    cdef readonly tuple tools
    cdef readonly bint stream
    cdef readonly bint has_server_tools
    cdef readonly bint compacts
    cdef readonly bint names_models
    cdef readonly int64_t max_tokens
    cdef readonly int64_t thinking_budget
    cdef readonly Py_ssize_t text_bytes
    cdef readonly Py_ssize_t tool_count
    cdef readonly Py_ssize_t messages_count
    cdef readonly Py_ssize_t user_turns
    cdef readonly Py_ssize_t image_count
    cdef readonly Py_ssize_t document_count
    # Set by who knows what the beginning of the conversation came to: so many of the bytes are these tokens.
    cdef public Py_ssize_t known_bytes
    cdef public int64_t known_tokens
