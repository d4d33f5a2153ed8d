cimport cython

from fastgate._core.tally cimport Tally


cdef class Numbers:
    cdef object _version
    cdef dict _known

    cpdef object begin(self, db)

    cpdef object forget(self)

    cpdef object epoch(self, db, bytes name)

    @cython.locals(epochs=dict, kinds=dict, threads=dict)
    cpdef tuple row(self, db, Tally call, journal)

    @cython.locals(epochs=dict, kinds=dict, threads=dict, call=Tally)
    cpdef Py_ssize_t plain_rows(self, list found, Py_ssize_t at, journal, list rows) except -1
