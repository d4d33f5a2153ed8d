"""The settings that the data plane cannot do without are the ones it is started with."""

from __future__ import annotations

import os
from typing import Any

import pytest
from granian.errors import ConfigurationError

from fastgate.gateway.pinning import CORE_ENV
from fastgate.gateway.serve import RUNTIME, Server


@pytest.mark.parametrize("threads", [2, 0])
def test_calls_are_opened_by_one_thread_or_the_server_says_why_not(threads: int) -> None:
    Server("fastgate.gateway.app:app", log_enabled=False, **RUNTIME)
    with pytest.raises(ConfigurationError, match=f"blocking_threads is {threads}, not 1"):
        Server("fastgate.gateway.app:app", log_enabled=False, **RUNTIME | {"blocking_threads": threads})


@pytest.mark.parametrize("cores", [(3, 7), ()])
def test_each_worker_is_started_with_its_core(cores: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Again with the same when another takes its place."""
    monkeypatch.setenv(CORE_ENV, "")  # so that it is put back
    monkeypatch.delenv(CORE_ENV)
    server = Server("fastgate.gateway.app:app", log_enabled=False, workers=2, **RUNTIME)
    server.cores = cores
    begun: list[str | None] = []

    class Worker:
        def start(self) -> None:
            begun.append(os.environ.get(CORE_ENV))

    monkeypatch.setattr(Server.__base__, "_spawn_worker", lambda *_: Worker())

    def spawn(index: int) -> Any:
        return server._spawn_worker(index, None, None)

    for index in (0, 1, 0):
        spawn(index).start()
    assert begun == (["3", "7", "3"] if cores else [None] * 3)
