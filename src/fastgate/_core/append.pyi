def append(fd: int, data: bytes) -> int:
    """One write(2) without giving up the interpreter lock; the number of bytes taken. OSError as os.write raises it."""
