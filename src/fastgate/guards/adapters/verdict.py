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
    whole: tuple[str, ...] = ()
    """Of a text in parts: categories that have no place in one of them, whatever they have in another."""

    @property
    def unplaced(self) -> tuple[str, ...]:
        """Categories that hiding places would not be rid of. A rewritten text is the place of one category only: of
        more it does not tell which it has dealt with."""
        if not self.spans and self.text is not None and len(self.categories) <= 1:
            return self.whole
        placed = {span.label for span in self.spans}
        unplaced = (*self.whole, *(name for name in self.categories if name not in placed))
        return tuple(dict.fromkeys(unplaced)) or (() if self.spans else ("flagged",))


PASS = Verdict("pass")


def not_scanned(why: str) -> Verdict:
    return Verdict("not_scanned", why=why)


def flagged(*categories: str, spans: tuple[Span, ...] = (), text: str | None = None) -> Verdict:
    return Verdict("flag", tuple(dict.fromkeys(filter(None, categories))), spans, text)
