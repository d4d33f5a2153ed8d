from typing import final

WINDOW_MAX: int
"""Bytes of the longest window."""
GRAM_BYTES: int
"""Bytes of a window that are looked for first: where they can be written in GRAM_WAYS ways at most, letters in one
case, else NEAR_BYTES."""
GRAM_WAYS: int
NEAR_BYTES: int
PREFILTERED_BYTES: int
"""Longer text mostly holds something that a pattern may begin with; for it the prefilter would be work done twice."""

@final
class Prefilter:
    """Whether a text holds one of many windows; made by `Prefilter.of`."""

    count: int
    """Windows."""
    @staticmethod
    def of(windows: list[tuple[object, ...]]) -> Prefilter:
        """A window is the place of the bytes that are looked for first, and a class a byte, 1 to WINDOW_MAX; a class is
        32 bytes, bit b % 8 of byte b // 8 for byte b. ValueError for more windows or classes than 65,535."""
    def may_match(self, text: bytes) -> bool:
        """Whether one of the windows is in the text, or in what is left of it without a layer of escapes and seams
        (fastgate._core.peel)."""
