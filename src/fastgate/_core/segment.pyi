def crc32c(data: bytes, crc: int = 0, *, by_table: bool = False) -> int:
    """The CRC32C of `data`, after what `crc` is the checksum of."""

TOGETHER_MAX: int
"""Most records that one call of `append` takes."""

def append(fd: int, kind: int, node: int, epoch: int, sequence: int, bodies: list[bytes]) -> int:
    """Write records in one call; returns how many bytes were taken, frames included. OSError."""

def whole_records(
    window: bytes, at: int, epoch: int, sequence: int, segment: int, base: int, most: int
) -> tuple[list[tuple[int, int, int, int, int, int, bytes]], int]:
    """The records that follow one another from `at` without a flaw, at most `most`, and where the next would begin."""
