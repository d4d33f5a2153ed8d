"""What a name that does not exist was probably meant to be: errors name it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

ALIKE = 0.6
"""difflib's ratio from which a name counts as a likely typing error; its own default."""

NAMES_MAX = 5_000
"""Names that are looked at: a tenth of a second for an error."""


def nearest(name: str, names: Iterable[str]) -> str:
    """The most similar of `names`, or an empty string."""
    by_lower = {known.lower(): known for known in islice(names, NAMES_MAX)}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=ALIKE)
    return by_lower[found[0]] if found else ""


def hint(name: str, names: Iterable[str]) -> str:
    """The end of a sentence that says that there is no such name."""
    near = nearest(name, names)
    return f"; nearest: {near}" if near else ""
