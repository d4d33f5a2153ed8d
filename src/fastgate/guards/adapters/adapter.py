"""Asking a vendor about a text of any length: cut to its limit, a few parts at a time, one deadline, one verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from fastgate.guards.adapters import client
from fastgate.guards.adapters.breaker import Breaker
from fastgate.guards.adapters.verdict import PASS, Span, Stage, Verdict, not_scanned

TIMEOUT_S = 2.0
"""For a whole text: a developer waits for it before the first token."""

PARALLEL = 4
"""Parts of one text that are asked about at once."""

PARTS_MAX = 64
"""Parts of one text; a longer one is not scanned rather than half of it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call to a vendor."""

    url: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Vendor(Protocol):
    """What a file of this package provides."""

    @property
    def name(self) -> str: ...

    @property
    def part_chars(self) -> int:
        """The vendor's limit of one call, in characters."""
        ...

    def ask(self, text: str, stage: Stage) -> Request: ...

    def judge(self, found: Any, text: str) -> Verdict:
        """What the decoded answer to `text` means. KeyError, TypeError, ValueError or IndexError where it is not of
        the documented form."""
        ...


def as_json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"), JSON)


JSON = ("content-type", "application/json")


def parts(text: str, most: int) -> Iterator[tuple[int, str]]:
    """(offset, part) of the text, each at most `most` characters, cut behind a line or a blank where there is one."""
    at = 0
    while len(text) - at > most:
        cut = max(text.rfind("\n", at + most // 2, at + most), text.rfind(" ", at + most // 2, at + most)) + 1
        end = cut if cut > at else at + most
        yield at, text[at:end]
        at = end
    yield at, text[at:]


def merged(found: Sequence[tuple[int, str, Verdict]]) -> Verdict:
    """One verdict of all parts: what was not scanned makes the whole not scanned, unless a part is flagged."""
    flags = [(at, part, verdict) for at, part, verdict in found if verdict.outcome == "flag"]
    unscanned = next((verdict for _, _, verdict in found if verdict.outcome == "not_scanned"), None)
    if not flags:
        return unscanned or PASS
    categories = tuple(dict.fromkeys(name for _, _, verdict in flags for name in verdict.categories))
    spans = tuple(Span(at + s.start, at + s.end, s.label) for at, _, verdict in flags for s in verdict.spans)
    rewritten = unscanned is None and all(verdict.text is not None for _, _, verdict in flags)
    text = "".join(part if verdict.text is None else verdict.text for _, part, verdict in found) if rewritten else None
    return Verdict("flag", categories, spans, text, unscanned.why if unscanned else "")


class Adapter:
    """A vendor with its deadline and its circuit. Belongs to one event loop."""

    def __init__(self, vendor: Vendor, *, timeout_s: float = TIMEOUT_S, parallel: int = PARALLEL) -> None:
        self.vendor = vendor
        self.timeout_s = timeout_s
        self.breaker = Breaker()
        self._parallel = asyncio.Semaphore(parallel)

    async def screen(self, text: str, stage: Stage = "request") -> Verdict:
        """The vendor's verdict; never an error."""
        if not text:
            return PASS
        cut = list(parts(text, self.vendor.part_chars))
        if len(cut) > PARTS_MAX:
            return not_scanned(f"the text has more than {PARTS_MAX} parts of {self.vendor.part_chars} characters")
        if not self.breaker.allows():
            return not_scanned(f"{self.vendor.name} failed too often and is left alone for a while")
        tasks = [asyncio.ensure_future(self._part(part, stage)) for _, part in cut]
        done, late = await asyncio.wait(tasks, timeout=self.timeout_s)
        for task in late:
            task.cancel()
        verdicts = [
            task.result() if task in done else not_scanned(f"{self.vendor.name}: no answer within {self.timeout_s:g} s")
            for task in tasks
        ]
        if any(verdict.outcome == "not_scanned" for verdict in verdicts):
            self.breaker.failed()
        else:
            self.breaker.worked()
        return merged([(at, part, verdict) for (at, part), verdict in zip(cut, verdicts, strict=True)])

    async def _part(self, part: str, stage: Stage) -> Verdict:
        async with self._parallel:
            request = self.vendor.ask(part, stage)
            try:
                answer = await client.post(request.url, request.headers, request.body, self.timeout_s)
            except client.ClientError as exc:
                return not_scanned(f"{self.vendor.name}: {exc}")
        if answer.status != 200:
            return not_scanned(f"{self.vendor.name}: status {answer.status}")
        try:
            return self.vendor.judge(msgspec.json.decode(answer.body), part)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError, AttributeError):
            return not_scanned(f"{self.vendor.name}: the answer is not of the documented form")
