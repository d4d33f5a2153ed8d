from fastgate._core.money cimport PriceRow
from fastgate._core.request cimport RequestView


cpdef object bound_nano(RequestView request, PriceRow row, max_tokens, limits)
