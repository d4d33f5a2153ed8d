"""The rows of the load suite: what is sent, by how many connections, to which upstream, and what must be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mock = Literal["nginx", "simulate"]
Body = Literal["small", "large"]
Target = Literal["mock", "nginx", "bare", "fastgate", "budgeted", "screened", "guarded", "cached"]
"""bare: our server and pump with nothing between them. fastgate: identity, prices, headers and journal. budgeted:
with five budgets that bind every call. screened: with every built-in guard of requests instead. guarded: with both.
cached: with the exact cache too, which then answers: no call goes upstream."""

GATEWAYS: tuple[Target, ...] = ("fastgate", "budgeted", "screened", "guarded", "cached")

BUDGETED = 0.95
"""Of its rate without budgets the gateway keeps at least so much with five budgets on every call."""

SCREENED: dict[Body, float] = {"small": 0.9, "large": 0.6}
"""The same with every built-in guard of requests and no budget. Each body is the same in every call, so that of a
request its blocks are told by their marks, as those of a conversation's next turn are; answers are looked at anew."""

SMALL, LARGE = (0.50, 0.55), (0.65, 0.70)
"""Of nginx's rate, by the size of the body."""

CEILING = 1.5
"""The upstream alone must serve this many times what nginx proxies to it, or the row measures the upstream."""

HEADLINE_REQUESTS_PER_S, HEADLINE_P99_MS = 29_000, 21
"""What the reference gateway states for its cached path: 4 vCPU, generator and mock on the same box."""


@dataclass(frozen=True)
class Row:
    """One line of the report. `goals` are the least ratios of fastgate to nginx's rate, the older first: that of the
    relay alone and that of the hardened edge, both with everything that a plain call does. `p99_ms` is the most that
    its p99 may be; 0 where none is set."""

    name: str
    title: str
    body: Body
    connections: int
    stream: bool
    mock: Mock
    goals: tuple[float, ...] = ()
    targets: tuple[Target, ...] = ("mock", "nginx", "fastgate")
    p99_ms: float = 0.0
    open: str = ""
    """The same row without TLS; clients of this one speak it to nginx and to fastgate. The upstream is always plain."""

    @property
    def tls(self) -> bool:
        return bool(self.open)


PLAIN: tuple[Target, ...] = ("mock", "nginx", "bare", "fastgate")
SCREENED_TOO: tuple[Target, ...] = ("mock", "nginx", "fastgate", "screened")

ROWS = (
    Row("small-64", "small body, 64 connections", "small", 64, False, "nginx", SMALL, PLAIN),
    Row("tls-64", "small body over TLS, 64 connections", "small", 64, False, "nginx", open="small-64"),
    Row(
        "small-200",
        "small body, 200 connections",
        "small",
        200,
        False,
        "nginx",
        SMALL,
        ("mock", "nginx", *GATEWAYS),
        15.0,
    ),
    Row("large-4", "730 KB conversation, 4 connections", "large", 4, False, "nginx", LARGE, SCREENED_TOO),
    Row("tls-large-4", "730 KB conversation over TLS, 4 connections", "large", 4, False, "nginx", open="large-4"),
    Row("stream-64", "streamed answer, 64 connections", "small", 64, True, "simulate"),
    Row(
        "tls-stream-64",
        "streamed answer over TLS, 64 connections",
        "small",
        64,
        True,
        "simulate",
        open="stream-64",
    ),
)
HEADLINE: tuple[str, Target] = ("small-200", "cached")
"""Row and target that are compared with the reference: everything on."""
