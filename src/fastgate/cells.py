"""Text on its way into a CSV file. Knows nothing of what the file holds."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that spreadsheets run."""


def harmless(text: str) -> str:
    """Models, sessions and tags may come from clients: one that a spreadsheet would run as a formula gets an apostrophe
    in front. Figures are no text and stay as they are."""
    return "'" + text if text.startswith(FORMULA) else text
