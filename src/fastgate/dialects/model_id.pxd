from fastgate._core.head cimport printable


cpdef object judge_model(str model, str what=*)
