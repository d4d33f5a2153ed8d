"""Slow twin of fastgate._core.prefilter: every window at every place of the text."""

from __future__ import annotations

from collections.abc import Sequence

from fastgate._core.peel import peel


def holds(windows: Sequence[Sequence[int]], text: bytes) -> bool:
    """Whether one of the windows, a class as an integer a byte, is in the text."""
    return any(
        all(given >> byte & 1 for given, byte in zip(window, text[at:], strict=False))
        for window in windows
        for at in range(len(text) - len(window) + 1)
    )


def may_match(windows: Sequence[Sequence[int]], text: bytes) -> bool:
    peeled = peel(text)
    return holds(windows, text) or (peeled is not None and holds(windows, peeled.text))
