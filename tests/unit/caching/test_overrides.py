"""What a client may say of an answer's age."""

from __future__ import annotations

import pytest

from fastgate.caching.overrides import SECOND_NS, TTL_MAX_S, duration_ns


@pytest.mark.parametrize(("text", "seconds"), [("", 0), ("300", 300), ("5m", 300), ("2h", 7200), ("3660d", TTL_MAX_S)])
def test_a_time_is_read(text: str, seconds: int) -> None:
    assert duration_ns(text) == seconds * SECOND_NS < 2**63


@pytest.mark.parametrize("text", ["0", "soon", "-1", "1w", "3661d", "999999999d", "999999999h"])
def test_what_is_no_time_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        duration_ns(text)
