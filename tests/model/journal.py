"""The journal's framing, slowly: the oracle for what a run of bytes holds. CRC32C bit by bit, one record at a time."""


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def frame(kind: int, node: int, epoch: int, sequence: int, body: bytes) -> bytes:
    stamped = (
        bytes([1, kind])
        + node.to_bytes(2, "little")
        + epoch.to_bytes(8, "little")
        + sequence.to_bytes(8, "little")
        + body
    )
    return len(stamped).to_bytes(4, "little") + crc32c(stamped).to_bytes(4, "little") + stamped


def whole_records(data: bytes) -> list[tuple[int, int, bytes]]:
    """(kind, sequence, body) of each record that is complete and right, up to the first that is not."""
    found = []
    while len(data) >= 28:
        size = 8 + int.from_bytes(data[:4], "little")
        if len(data) < size or crc32c(data[8:size]) != int.from_bytes(data[4:8], "little"):
            break
        found.append((data[9], int.from_bytes(data[20:28], "little"), data[28:size]))
        data = data[size:]
    return found
