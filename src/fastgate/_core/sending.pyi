from typing import Final

VALUE_BYTES_MAX: Final[int]
