"""What a vendor says of a text, the same for all of them."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Stage: TypeAlias = Literal["request", "answer"]
Outcome: TypeAlias = Literal["pass", "flag", "not_scanned"]


class Span(NamedTuple):
    """A part of the text that is meant: characters, not bytes."""

    start: int
    end: int
    label: str


class Verdict(NamedTuple):
    """`flag` with spans or a rewritten text can be redacted; with neither it can only be refused or recorded."""

    outcome: Outcome
    categories: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    text: str | None = None
    """The text as the vendor would have it, where it rewrites."""
    why: str = ""
    """Of `not_scanned`: what went wrong, without the text and without keys."""


PASS = Verdict("pass")


def not_scanned(why: str) -> Verdict:
    return Verdict("not_scanned", why=why)


def flagged(*categories: str, spans: tuple[Span, ...] = (), text: str | None = None) -> Verdict:
    return Verdict("flag", tuple(dict.fromkeys(filter(None, categories))), spans, text)
