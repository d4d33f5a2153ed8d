cpdef object judge_model(str model, str what=*)
