"""What an endpoint can take: which betas, which fields, and what is done about those it cannot.

The table is data with its origin beside it. An endpoint's own `betas:` and `fields:` go before it and are read anew
with every snapshot. A field that an endpoint cannot take is never dropped silently: what was left out is named in the
`-routed` header and in the record.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

Rule = Literal["keep", "drop", "refuse"]
"""keep: sent as it came. drop: the field and its beta are left out together. refuse: the endpoint is passed over."""


class Pair(NamedTuple):
    """A feature that is a field and a beta: one without the other is a 400."""

    betas: tuple[str, ...]
    """Globs of beta names."""
    fields: tuple[bytes, ...] = ()
    tool_fields: tuple[bytes, ...] = ()


PAIRS: dict[str, Pair] = {
    "context_management": Pair(("context-management-*",), (b"context_management",)),
    "safeguards": Pair(("dangerous-tool-use-*", "afk-mode-*"), (b"safeguards",)),
    "defer_loading": Pair(("advanced-tool-use-*", "tool-search-tool-*"), (), (b"defer_loading",)),
    "strict": Pair(("structured-outputs-*",), (), (b"strict",)),
    "speed": Pair(("fast-mode-*",), (b"speed",)),
    "mcp_servers": Pair(("mcp-client-*",), (b"mcp_servers",)),
    "container": Pair(("skills-*",), (b"container",)),
    "service_tier": Pair((), (b"service_tier",)),
    "inference_geo": Pair((), (b"inference_geo",)),
}
"""Origin: Anthropic's beta headers page, and the pairs that Claude Code sends (docs/claude-code.md)."""


class Capabilities(NamedTuple):
    betas: tuple[str, ...]
    """Globs of the betas that are sent on; `*` is all."""
    rules: dict[str, Rule]
    """By the name of a pair, or of a field of the body; what is not named is kept."""
    renames: dict[str, str]
    """Betas that the endpoint knows by another name."""


EVERYTHING = Capabilities(("*",), {}, {})

TOOL_SEARCH = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}
"""Bedrock and Vertex AI have the tool search alone, under its own beta; Claude Code sends that name to them."""

SHARED_BETAS = (
    "claude-code-*", "interleaved-thinking-*", "thinking-token-count-*", "thinking-display-updates-*", "effort-*",
    "tool-search-tool-*", "tool-examples-*", "context-1m-*", "fine-grained-tool-streaming-*", "computer-use-*",
    "token-efficient-tools-*", "output-128k-*", "dev-full-thinking-*", "extended-cache-ttl-*", "prompt-caching-*",
)  # fmt: skip
"""What Claude Code sends to Bedrock and Vertex AI, and AWS's and Google's own lists of betas."""

BY_KIND: dict[str, Capabilities] = {
    "anthropic": EVERYTHING,
    "compatible": EVERYTHING,
    "foundry": EVERYTHING,
    "bedrock": Capabilities(
        SHARED_BETAS,
        {
            "context_management": "drop", "safeguards": "drop", "speed": "drop", "mcp_servers": "refuse",
            "container": "refuse", "service_tier": "drop", "inference_geo": "refuse",
        },
        TOOL_SEARCH,
    ),
    "vertex": Capabilities(
        (*SHARED_BETAS, "web-search-*"),
        {
            "context_management": "drop", "safeguards": "drop", "speed": "drop", "mcp_servers": "refuse",
            "container": "refuse", "service_tier": "drop", "inference_geo": "refuse",
        },
        TOOL_SEARCH,
    ),
}  # fmt: skip
"""Dropped is what changes no answer (housekeeping of the context, a wish for speed) or has a fall-back in the client
(auto mode's safeguards); refused is what the answer depends on (servers, containers, where data may be processed)."""


def capabilities_of(kind: str, betas: tuple[str, ...] | None, fields: dict[str, Rule]) -> Capabilities:
    """The table's row of a kind, with an endpoint's own settings before it."""
    row = BY_KIND[kind]
    return Capabilities(row.betas if betas is None else betas, row.rules | fields, row.renames)


class Fit(NamedTuple):
    """What has to be done to a request so that the endpoint can take it."""

    betas: tuple[str, ...]
    drop: tuple[bytes, ...]
    tool_drop: tuple[bytes, ...]
    left_out: tuple[str, ...]
    """Names of the features that are dropped, for the header and the record."""
    refused: str
    """The feature for which the endpoint is passed over; empty where it can serve."""


class Fitter:
    """One endpoint's capabilities, ready to be held against requests."""

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.rules: dict[bytes, tuple[str, Rule]] = {}
        self.tool_rules: dict[bytes, tuple[str, Rule]] = {}
        for name, rule in capabilities.rules.items():
            if rule == "keep":
                continue
            pair = PAIRS.get(name) or Pair((), (name.encode(),))
            self.rules.update(dict.fromkeys(pair.fields, (name, rule)))
            self.tool_rules.update(dict.fromkeys(pair.tool_fields, (name, rule)))
        self.names = tuple(self.rules)
        self.tool_names = tuple(self.tool_rules)
        self.trivial = capabilities.betas == ("*",) and not self.rules and not self.tool_rules

    def fit(self, betas: tuple[str, ...], present: set[bytes], in_tools: set[bytes]) -> Fit:
        """`present`: which of `names` the body has; `in_tools`: which of `tool_names` its tools have. A dropped field
        takes its betas along; a beta that the endpoint does not know takes nothing along: not every beta has a field.
        """
        found = [self.rules[field] for field in sorted(present)]
        found += [self.tool_rules[field] for field in sorted(in_tools)]
        for name, rule in found:
            if rule == "refuse":
                return Fit((), (), (), (), name)
        gone = [glob for name, _ in (*self.rules.values(), *self.tool_rules.values()) for glob in betas_of(name)]
        rename, allowed = self.capabilities.renames, self.capabilities.betas
        kept = [rename.get(beta, beta) for beta in betas if not matches(beta, gone)]
        kept = [beta for beta in dict.fromkeys(kept) if matches(beta, allowed)]
        left_out = tuple(dict.fromkeys(name for name, _ in found))
        return Fit(tuple(kept), tuple(sorted(present)), tuple(sorted(in_tools)), left_out, "")


def betas_of(name: str) -> tuple[str, ...]:
    pair = PAIRS.get(name)
    return pair.betas if pair is not None else ()


def matches(beta: str, globs: tuple[str, ...] | list[str]) -> bool:
    return any(fnmatchcase(beta, glob) for glob in globs)
