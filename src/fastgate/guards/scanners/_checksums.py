"""Check digits and check sums of identifiers and key formats. Pure functions; each names where its rule is written.

They take digits (or letters) without separators and say whether the check part fits. A caller strips blanks
and dashes first.
"""

from __future__ import annotations

import base64
import binascii
import zlib

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_VERHOEFF_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
"""The dihedral group of order ten (J. Verhoeff, Error Detecting Decimal Codes, 1969)."""

_VERHOEFF_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _permutations() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10))]
    for _ in range(7):
        rows.append(tuple(_VERHOEFF_STEP[digit] for digit in rows[-1]))
    return tuple(rows)


_VERHOEFF_P = _permutations()


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: cards, IMEI, the Canadian SIN, the Swedish personnummer and others."""
    total = 0
    for place, sign in enumerate(reversed(digits)):
        value = ord(sign) - 48
        if place % 2:
            value *= 2
            if value > 9:
                value -= 9
        total += value
    return total % 10 == 0


def verhoeff(digits: str) -> bool:
    """The check of India's Aadhaar: detects every single error and every swap of neighbours."""
    check = 0
    for place, sign in enumerate(reversed(digits)):
        check = _VERHOEFF_D[check][_VERHOEFF_P[place % 8][ord(sign) - 48]]
    return check == 0


def mod97(text: str) -> int:
    """ISO 7064 MOD 97-10 of letters and digits, letters as 10 to 35: 1 for a valid IBAN whose head is at its end."""
    return int("".join(str(int(sign, 36)) for sign in text)) % 97


def mod11_10(digits: str) -> bool:
    """ISO 7064 MOD 11,10: the German tax number, the Croatian OIB."""
    product = 10
    for sign in digits[:-1]:
        total = (int(sign) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    """The sum of digit times weight over as many places as there are weights."""
    return sum(int(sign) * weight for sign, weight in zip(digits, weights, strict=False))


def base62(number: int, width: int) -> str:
    """`number` in base 62 (digits, capitals, small letters), filled up with zeros."""
    signs = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        signs.append(BASE62[rest])
    return "".join(reversed(signs))


def crc32_base62(body: str) -> str:
    """The six signs that GitHub and npm append to a token's random part, GitHub blog of 2021-04-05."""
    return base62(zlib.crc32(body.encode("ascii")), 6)


def crc32_hex(body: str) -> str:
    """The eight signs at the end of a Grafana service-account token."""
    return f"{zlib.crc32(body.encode('ascii')):08x}"


def base64_of(text: str) -> bytes | None:
    """The decoded bytes of base64 or base64url with or without padding, None if it is neither."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
