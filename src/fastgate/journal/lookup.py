def lookup_call(path, id):
    return None
