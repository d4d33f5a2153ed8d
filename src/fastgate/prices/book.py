"""The price book: which row prices a model at a kind of endpoint. The data plane's only view of prices.

Owns the price data's shape, the reading of model ids and the rule for unknown models. Must not know where prices come
from: `fastgate.prices.catalog` fills the data in the control plane.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

import msgspec

from fastgate._core.money import PriceRow

LOOKUPS_KEPT = 4096
"""Memoised look-ups. A deployment uses tens of (kind, model) pairs; a client that invents model ids must not fill
memory, so the memo starts anew when it is full."""

MAX_MODEL_CHARS = 512
"""Longer ids are unknown without a look: they come from clients, and reading one takes time quadratic in its length.
The longest real ones, ARNs of Bedrock inference profiles, have some 150."""

Unknown = Literal["worst", "refuse"]


class Price(msgspec.Struct, frozen=True, array_like=True):
    """The price of one model at one kind of endpoint: `names` are ids as `family_of` gives them, or one glob of an
    override; `source` says where the figures come from; `ints` are those of PriceRow.ints()."""

    kind: str
    names: tuple[str, ...]
    source: str
    ints: tuple[int, ...]


class PriceData(msgspec.Struct, frozen=True):
    """All prices in force, as the snapshot carries them. `overrides` are globs on kind and model, the first match wins.
    `worst` prices what is in neither; `unknown` says whether such a call may be made at all."""

    prices: tuple[Price, ...]
    overrides: tuple[Price, ...]
    worst: Price
    unknown: Unknown = "worst"


class Quote(NamedTuple):
    """`known` is False when the row is the configured worst price, never zero."""

    row: PriceRow
    known: bool


# What may follow a model's name without changing its price.
_SUFFIXES = re.compile(
    r"""(?:
        \[1m\]                       # Claude Code's mark for the long context window
      | -latest | @latest | @default
      | [-@]20\d{6} | -20\d\d-\d\d-\d\d   # the snapshot's date
      | -v\d+ (?: : \d+ (?: : \d+k )? )?  # Bedrock's revision and context window
    )$""",
    re.VERBOSE,
)
_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")
_BEDROCK_SCOPE = re.compile(r"^(?:([a-z][a-z-]*)\.)?anthropic\.")


def family_of(model: str) -> str:
    """A model id without provider prefix, date, revision and context mark: `us.anthropic.claude-opus-4-5-20251101-v1:0`
    and `anthropic/claude-opus-4.5` are both `claude-opus-4-5`."""
    name = model.strip().lower()
    if name.startswith("arn:"):
        name = name.rpartition("/")[2]
    name = _BEDROCK_SCOPE.sub("", name.removeprefix("anthropic/"))
    name = _DOTTED.sub("-", name)
    while match := _SUFFIXES.search(name):
        if name[: match.start()] in ("", "claude"):  # "claude-v1" is a model, not a revision of one
            break
        name = name[: match.start()]
    return name


def price_kind(kind: str, model: str) -> str:
    """The kind under which the book keeps this model's price. Regional endpoints of Bedrock and Vertex AI are dearer
    than global ones: on Bedrock the id tells which it is (a bare one is served in its region); a Vertex AI endpoint
    that is global looks prices up as `vertex-global`."""
    if kind == "bedrock":
        name = model.strip().lower()
        name = name.rpartition("/")[2] if name.startswith("arn:") else name
        return "bedrock-global" if name.startswith("global.") else "bedrock-regional"
    return "vertex-regional" if kind == "vertex" else kind


def endpoint_kind(kind: str) -> str:
    """The endpoint kind of a price kind: `bedrock` for `bedrock-global`."""
    return kind.partition("-")[0]


class PriceBook:
    """Look-ups over one PriceData. Immutable but for its memo. Compiled with types (book.pxd)."""

    def __init__(self, data: PriceData) -> None:
        self._rows = {(price.kind, name): PriceRow.of_ints(price.ints) for price in data.prices for name in price.names}
        self._overrides = [
            (price.kind, name, PriceRow.of_ints(price.ints)) for price in data.overrides for name in price.names
        ]
        self._memo: dict[tuple[str, str], Quote] = {}
        self.worst = PriceRow.of_ints(data.worst.ints)
        self.refuse_unknown = data.unknown == "refuse"

    def lookup(self, kind: str, model: str) -> Quote:
        """The row for `model` as it is sent to an endpoint of `kind`, and whether the book knows it."""
        quote = self._memo.get((kind, model))
        if quote is None:
            if len(model) > MAX_MODEL_CHARS:
                return Quote(self.worst, False)
            quote = self._find(kind, model)
            if len(self._memo) >= LOOKUPS_KEPT:
                self._memo.clear()
            self._memo[kind, model] = quote
        return quote

    def row(self, kind: str, model: str) -> PriceRow:
        return self.lookup(kind, model).row

    def _find(self, kind: str, model: str) -> Quote:
        family, at = family_of(model), price_kind(kind, model)
        for on_kind, on_model, row in self._overrides:
            kind_fits = fnmatchcase(kind, on_kind) or fnmatchcase(at, on_kind)
            if kind_fits and (fnmatchcase(model, on_model) or fnmatchcase(family, on_model)):
                return Quote(row, True)
        for name in (model, family):
            found = self._rows.get((at, name))
            if found is not None:
                return Quote(found, True)
        return Quote(self.worst, False)
