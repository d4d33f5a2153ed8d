"""The fault proxy forwards untouched by default, and otherwise does to a connection what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from fastgate.sim.faultproxy import CLEAN, FaultProxy, Faults

PAYLOAD = bytes(range(256)) * 1000


class Echo:
    """A target that sends back what it gets, and counts how its connections ended."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            self.ends.append("fin")
        except ConnectionError:
            self.ends.append("rst")
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    target = Echo()
    server = await target.start()
    yield target
    server.close()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[FaultProxy]:
    between = FaultProxy(echo.port)
    await between.start()
    yield between
    await between.close()


async def echoed(proxy: FaultProxy, data: bytes, timeout_s: float = 3.0) -> tuple[bytes, str]:
    """Send, close our half, and read what comes back: the bytes and how it ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    got = b""

    async def send() -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
            writer.write_eof()

    sender = asyncio.ensure_future(send())
    try:
        async with asyncio.timeout(timeout_s):
            while chunk := await reader.read(65536):
                got += chunk
        return got, "fin"
    except TimeoutError:
        return got, "timeout"
    except ConnectionError:
        return got, "rst"
    finally:
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
        writer.transport.abort()


async def test_clean_connections_pass_untouched(proxy: FaultProxy, echo: Echo) -> None:
    results = await asyncio.gather(*(echoed(proxy, PAYLOAD) for _ in range(5)))
    assert results == [(PAYLOAD, "fin")] * 5
    assert proxy.connections == 5 and echo.ends == ["fin"] * 5


async def test_latency_and_bandwidth(proxy: FaultProxy) -> None:
    proxy.up = Faults(latency_ms=100)
    begun = time.monotonic()
    assert await echoed(proxy, b"ping") == (b"ping", "fin")
    assert time.monotonic() - begun >= 0.1
    proxy.up, proxy.down = CLEAN, Faults(bytes_per_s=100_000)
    begun = time.monotonic()
    assert await echoed(proxy, PAYLOAD[:50_000]) == (PAYLOAD[:50_000], "fin")
    assert 0.4 <= time.monotonic() - begun < 2.5


@pytest.mark.parametrize(("then", "ended"), [("rst", "rst"), ("fin", "fin"), ("half_close", "fin")])
@pytest.mark.parametrize("size", [0, 1, 1000, 100_000])
async def test_cut_after_n_bytes_down(proxy: FaultProxy, then: str, ended: str, size: int) -> None:
    proxy.down = Faults(after_bytes=size, then=then)  # type: ignore[arg-type]
    got, how = await echoed(proxy, PAYLOAD)
    assert PAYLOAD.startswith(got)
    if then == "rst":
        # A reset may overtake bytes that the receiver has not read.
        assert how == ended and len(got) <= size
    else:
        assert (len(got), how) == (size, ended)


async def test_cut_up_is_seen_by_the_target(proxy: FaultProxy, echo: Echo) -> None:
    proxy.up = Faults(after_bytes=10, then="rst")
    assert (await echoed(proxy, PAYLOAD))[1] == "rst"
    for _ in range(100):
        if echo.ends:
            break
        await asyncio.sleep(0.01)
    assert echo.ends == ["rst"]


async def test_blackhole_says_nothing(proxy: FaultProxy) -> None:
    proxy.down = Faults(after_bytes=100, then="blackhole")
    assert await echoed(proxy, PAYLOAD, 0.3) == (PAYLOAD[:100], "timeout")


async def test_corruption_inverts_one_byte(proxy: FaultProxy) -> None:
    proxy.down = Faults(corrupt_at=5000)
    got, _ = await echoed(proxy, PAYLOAD)
    assert [at for at in range(len(PAYLOAD)) if got[at] != PAYLOAD[at]] == [5000]
    assert got[5000] == PAYLOAD[5000] ^ 0xFF


async def test_refuse_cut_and_a_target_that_is_gone(proxy: FaultProxy, echo: Echo) -> None:
    proxy.refuse = True
    assert (await echoed(proxy, b"ping"))[1] == "rst"
    proxy.refuse = False
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"ping")
    assert await reader.readexactly(4) == b"ping"
    assert len(proxy.open) == 1
    await proxy.cut()
    with pytest.raises(ConnectionError):
        await reader.read(1)
    writer.transport.abort()
    nowhere = FaultProxy(1)
    await nowhere.start()
    assert (await echoed(nowhere, b"ping"))[1] == "rst"
    await nowhere.close()
