"""A first glance at a whole answer. Most are one text in which no rule finds anything: that is told in one pass over
the bytes here, without an object. What is anything else (a tool's input, a citation, no message at all) is `blocks`'s.
"""

from fastgate._core.prefilter cimport Prefilter

cpdef bint holds_nothing(bytes answer, Prefilter prefilter) except -1
