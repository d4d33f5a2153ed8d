"""A name that does not exist: the error names the one that was probably meant, or none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastgate.similar import NAMES_MAX, hint, nearest

NAMES = st.text(st.characters(codec="utf-8"), max_size=12)


@given(NAMES, st.lists(NAMES, max_size=8))
def test_it_is_a_known_name_as_it_is_written_or_nothing(name: str, known: list[str]) -> None:
    assert nearest(name, known) in {"", *known}
    if name.lower() in {one.lower() for one in known} and name:
        assert nearest(name, known).lower() == name.lower()


def test_a_typing_error_is_told() -> None:
    assert hint("plattform", ["web", "Platform", "data"]) == "; nearest: Platform"
    assert hint("x", ["web", "Platform"]) == ""
    assert hint("wbe", (f"team-{n}" for n in range(10 * NAMES_MAX))) == ""
