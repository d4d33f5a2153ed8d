"""CRC32C: every way of computing it gives what the definition gives, of any bytes, cut anywhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.segment import crc32c
from tests.model import journal as model


@given(st.binary(max_size=300), st.integers(0, 300))
def test_it_is_the_checksum_of_the_definition(data: bytes, cut: int) -> None:
    expected = model.crc32c(data)
    assert crc32c(data) == crc32c(data, by_table=True) == expected
    assert crc32c(data[cut:], crc32c(data[:cut])) == expected
    assert crc32c(data[cut:], crc32c(data[:cut], by_table=True), by_table=True) == expected


def test_the_vectors_of_rfc_3720() -> None:
    for data, expected in (
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
    ):
        assert crc32c(data) == crc32c(data, by_table=True) == expected
