"""Medians, spreads and ratios of repeated measurements. Floats: these are times and rates, never money."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> float:
    """Largest less smallest, as a part of the median: 0.05 is five per cent from end to end."""
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios within each round: what slows a whole round down slows both and cancels out."""
    return median([a / b for a, b in zip(ours, theirs, strict=True) if b])
