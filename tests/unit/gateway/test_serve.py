"""The settings that the data plane cannot do without are the ones it is started with."""

from __future__ import annotations

import pytest
from granian.errors import ConfigurationError

from fastgate.gateway.serve import RUNTIME, Server


@pytest.mark.parametrize("threads", [2, 0])
def test_calls_are_opened_by_one_thread_or_the_server_says_why_not(threads: int) -> None:
    Server("fastgate.gateway.app:app", log_enabled=False, **RUNTIME)
    with pytest.raises(ConfigurationError, match=f"blocking_threads is {threads}, not 1"):
        Server("fastgate.gateway.app:app", log_enabled=False, **RUNTIME | {"blocking_threads": threads})
