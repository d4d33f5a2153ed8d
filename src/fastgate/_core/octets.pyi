def checksum(data: bytes, crc: int = ...) -> int:
    """CRC-32 as in zlib, going on from `crc`."""
