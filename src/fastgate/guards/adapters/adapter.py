"""Asking a vendor about texts of any length: cut to its limit, a few parts at a time, one deadline, a verdict each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, cast

import msgspec

from fastgate.guards.adapters.breaker import Breaker
from fastgate.guards.adapters.client import Answer, Client, ClientError
from fastgate.guards.adapters.verdict import PASS, Span, Stage, Verdict, not_scanned
from fastgate.providers.credentials import CredentialError, Rotating

TIMEOUT_S = 2.0
"""For all texts of a call together: a developer waits for it before the first token."""

PARALLEL = 16
"""Questions that are open at one vendor at once, of all calls of a worker."""

PARTS_MAX = 64
"""Parts of one text; a longer one is not scanned rather than half of it."""

OK = 200

FAILING = 400
"""From this status on an answer is no sign that a vendor works: a wrong key fails as surely as a crash."""


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
    rewritten = unscanned is None and all(verdict.text is not None and not verdict.spans for _, _, verdict in flags)
    text = "".join(part if verdict.text is None else verdict.text for _, part, verdict in found) if rewritten else None
    beside = [verdict._replace(text=None) for _, _, verdict in flags] if spans else []
    whole = tuple(dict.fromkeys(name for verdict in beside for name in verdict.unplaced))
    return Verdict("flag", categories, spans, text, unscanned.why if unscanned else "", whole)


class MediaVendor(Vendor, Protocol):
    """A vendor that takes images or documents too."""

    @property
    def media(self) -> frozenset[str]:
        """Media types it takes."""
        ...

    @property
    def media_bytes(self) -> int:
        """The largest that it takes, in bytes."""
        ...

    def ask_media(self, media_type: str, data: str) -> Request:
        """The question about one image or document, `data` as base64; `judge` reads the answer."""
        ...


class Adapter:
    """A vendor with its deadline, its circuit and its credential. Belongs to one event loop."""

    def __init__(
        self,
        vendor: Vendor,
        *,
        timeout_s: float = TIMEOUT_S,
        parallel: int = PARALLEL,
        client: Client | None = None,
        credential: Rotating | None = None,
    ) -> None:
        """`credential`: one that ends; its value becomes the vendor's `key` whenever it changes."""
        self.vendor = vendor
        self.timeout_s = timeout_s
        self.breaker = Breaker()
        self.client = client or Client()
        self.credential = credential
        self._key: object = None
        self._parallel = asyncio.Semaphore(parallel)

    async def screen(self, text: str, stage: Stage = "request") -> Verdict:
        """The vendor's verdict on one text; never an error."""
        (verdict,) = await self.screen_all((text,), stage)
        return verdict

    async def screen_all(self, texts: Sequence[str], stage: Stage = "request") -> list[Verdict]:
        """The vendor's verdict on each text, all within one deadline; never an error."""
        limit = self.vendor.part_chars
        cut = [list(parts(text, limit)) if text else [] for text in texts]
        answers = await self._answers(
            [partial(self._ask, part, stage) for each in cut if len(each) <= PARTS_MAX for _, part in each]
        )
        left = iter(answers)
        out = []
        for each in cut:
            if len(each) > PARTS_MAX:
                out.append(not_scanned(f"the text has more than {PARTS_MAX} parts of {limit} characters"))
            else:
                out.append(merged([(at, part, self._verdict(next(left), part)) for at, part in each]))
        return out

    async def screen_media(self, media: Sequence[tuple[str, str]]) -> list[Verdict]:
        """The same for images and documents, (media type, base64) each, of a vendor that takes them."""
        vendor = cast(MediaVendor, self.vendor)
        fits = [len(data) * 3 // 4 <= vendor.media_bytes for _, data in media]
        asked = [(kind, data) for (kind, data), fit in zip(media, fits, strict=True) if fit]
        left = iter(await self._answers([partial(self._ask_media, kind, data) for kind, data in asked]))
        large = not_scanned(f"{vendor.name}: it has more than {vendor.media_bytes} bytes")
        return [self._verdict(next(left), "") if fit else large for fit in fits]

    # The vendor is looked up when a question is written: by then it has the credential in force.

    def _ask(self, part: str, stage: Stage) -> Request:
        return self.vendor.ask(part, stage)

    def _ask_media(self, media_type: str, data: str) -> Request:
        return cast(MediaVendor, self.vendor).ask_media(media_type, data)

    async def _answers(self, asked: Sequence[Callable[[], Request]]) -> list[Answer | Verdict]:
        """What came back of each question, or why nothing did."""
        name = self.vendor.name
        if not asked:
            return []
        if not self.breaker.allows():
            return [not_scanned(f"{name} failed too often and is left alone for a while")] * len(asked)
        late = not_scanned(f"{name}: no answer within {self.timeout_s:g} s")
        tasks: list[asyncio.Task[Answer | Verdict]] = []
        try:
            if self.credential is not None:
                await self._take_key(self.credential)
            tasks = [asyncio.ensure_future(self._answer(question)) for question in asked]
            await asyncio.wait(tasks, timeout=self.timeout_s)
        except CredentialError as exc:
            self.breaker.failed()
            return [not_scanned(f"{name}: {exc}")] * len(asked)
        except asyncio.CancelledError:
            self.breaker.gave_up()
            raise
        finally:
            for task in tasks:
                task.cancel()
        answers = [task.result() if task.done() and not task.cancelled() else late for task in tasks]
        if any(isinstance(answer, Answer) and answer.status < FAILING for answer in answers):
            self.breaker.worked()
        else:
            self.breaker.failed()
        return answers

    async def _take_key(self, credential: Rotating) -> None:
        """Put the credential in force into the vendor, where it is another than the last time."""
        credential.tend()
        if not credential.fresh:
            try:
                await asyncio.wait_for(credential.ready(), self.timeout_s)
            except TimeoutError:
                raise CredentialError(f"no credential within {self.timeout_s:g} s") from None
        if credential.value is not self._key:
            self._key = credential.value
            self.vendor = replace(cast(Any, self.vendor), key=credential.value)

    async def _answer(self, question: Callable[[], Request]) -> Answer | Verdict:
        async with self._parallel:
            request = question()
            try:
                return await self.client.post(request.url, request.headers, request.body, self.timeout_s)
            except ClientError as exc:
                return not_scanned(f"{self.vendor.name}: {exc}")

    def _verdict(self, answer: Answer | Verdict, part: str) -> Verdict:
        if isinstance(answer, Verdict):
            return answer
        if answer.status != OK:
            return not_scanned(f"{self.vendor.name}: status {answer.status}")
        try:
            verdict = self.vendor.judge(msgspec.json.decode(answer.body), part)
            if any(not 0 <= span.start < span.end <= len(part) for span in verdict.spans):
                raise ValueError("a span lies outside of the text")
            return verdict
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError, AttributeError):
            return not_scanned(f"{self.vendor.name}: the answer is not of the documented form")
