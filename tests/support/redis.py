"""A real Redis of its own, on a socket in the test's folder; nothing of it outlives the with block."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fastgate.caching.resp import BlockingRedis, RedisUrl

START_S = 20.0


class RedisServer:
    """One running server. `stop` and `start` take it away and bring it back, empty."""

    def __init__(self, directory: Path) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("redis-server is not installed (make peers)")
        self.directory = directory
        self.binary = binary
        self.url = f"unix://{directory}/redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [self.binary, "--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, cwd=self.directory, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.ask("PING")
            except OSError:
                assert time.monotonic() < deadline, "redis does not answer"
                time.sleep(0.02)
            else:
                return

    def ask(self, *words: bytes | str | int) -> Any:
        connection = BlockingRedis(RedisUrl(self.url))
        try:
            return connection.ask(*words)
        finally:
            connection.close()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def redis_server(directory: Path) -> Iterator[RedisServer]:
    directory.mkdir(parents=True, exist_ok=True)
    server = RedisServer(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()
