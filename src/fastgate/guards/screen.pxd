cimport cython

from fastgate._core.block cimport Block
from fastgate._core.blocks cimport Blocks, read_blocks
from fastgate._core.memo cimport Memo
from fastgate.guards.answer cimport Watch
from fastgate.guards.engine cimport Engine


cdef class Caller:
    cdef readonly object who
    cdef readonly object actions
    cdef readonly object seed


cdef class Guards:
    cdef readonly object policy
    cdef dict _callers
    cdef readonly object placeholders
    cdef readonly bytes sighting_key
    cdef public Engine engine
    cdef public Memo memo
    cdef readonly bint declared
    cdef readonly bint watches
    cdef public object outside

    @cython.locals(blocks=Blocks)
    cpdef Blocks unknown(self, bytes body, who, tuple tools=*)

    @cython.locals(known=Caller)
    cpdef Caller caller(self, who)

    @cython.locals(blocks=Blocks)
    cpdef object screen(self, bytes body, who, now_ns, tuple tools=*)

    @cython.locals(screening=_Screening, block=Block, found=tuple)
    cpdef object judged(self, Blocks blocks, bytes body, who, now_ns, tuple tools=*)

    cpdef object watch(self, who, tuple tools, note, noting, restorer)

    cpdef tuple examine(self, str kind, str role, bytes text, str tool, tuple tools, Block block=*, effort=*)


cdef class _Screening:
    cdef Guards guards
    cdef bytes body
    cdef object who
    cdef object actions
    cdef object now_ns
    cdef list verdicts
    cdef list hidden
    cdef dict secrets
    cdef object refusal
    cdef bint unscanned
    cdef list sightings

    cpdef object see(self, Blocks blocks, Block block)

    @cython.locals(hidden=list)
    cpdef object take(self, Block block, tuple found)

    @cython.locals(text=bytes)
    cpdef object hide(self, Block block, list places)

    cpdef object note(self, tuple verdict)

    cpdef object note_unscanned(self, str kind, str path)

    @cython.locals(body=bytes)
    cpdef object done(self, Blocks blocks)

    @cython.locals(apart=list, edits=list, placeholder=bytes)
    cpdef list edits(self, Blocks blocks)
