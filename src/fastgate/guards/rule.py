"""What a guard's rule is, and the registry of the families. Owns no scanning (engine.py) and no policy (policy.py).

How to write a scanner: one file under `scanners/`, named after its family, that ends in `SCANNER = Scanner(...)`. A
rule is data; the engine does the rest. For every *new* content block (one that no call had before) it runs

1. one pass over the block's decoded text with all patterns at once (Hyperscan). `pattern` says where to look closer. It
   must be cheap: begin with a literal of three bytes or more or a small class, no leading `.*`, no nested repeats, and
   end in an exact count (`{20}`, not `{20,}`), because every possible end of a match is a candidate. It need not be the
   whole secret. Syntax: PCRE without look-around, back-references and `\\K`; bytes, not characters; `^` and `$` are
   line ends with `lines=True`;
2. at each candidate `exact`, a Python regular expression over bytes, searched from `before` bytes in front of the
   candidate's end to `after` bytes behind it. It may look around, and the group `secret`, where it has one, is what is
   hidden (else the whole match). Without `exact` the pattern itself is used;
3. `check(text, start, end)`, the validator: a checksum, entropy, context words around it. It gets the block's whole
   text and the place of the secret; True makes a finding.

A rule that is no pattern has `look` instead: it gets the block and yields the places of its findings. Text is UTF-8
bytes and places are byte offsets, everywhere. Neither `check` nor `look` may keep the text, wait, or do I/O.

Text that is one JSON value (tool_use input, tool definitions) is given as one line a member, `name: value`, strings
unescaped, so that a rule sees the same text however it was escaped.

`samples` are strings that must fire and `clean` near misses that must not: the start-up self-test sends the first
sample through every enabled rule in every block kind it looks at, the tests all of them. Write a secret in a sample in
two adjacent literals, so that this project's own history holds nothing that looks like a live key.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import msgspec

Kind = Literal[
    "system",
    "user_text",
    "assistant_text",
    "tool_result",
    "tool_use_input",
    "document",
    "tool_schema",
    "answer_text",
    "answer_tool_input",
]
"""What a block is. The last two are the provider's answer; the rest is the request. Thinking blocks are no kind: the
provider wrote and signed them, so no rule looks at them and nothing touches them."""

Severity = Literal["low", "medium", "high", "critical"]

KINDS: tuple[Kind, ...] = get_args(Kind)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
ANSWER: frozenset[Kind] = frozenset({"answer_text", "answer_tool_input"})
REQUEST: frozenset[Kind] = frozenset(KINDS) - ANSWER
UNTRUSTED: frozenset[Kind] = frozenset({"tool_result", "document", "tool_schema"})
"""What neither the developer nor the model wrote: where an indirect injection comes from."""

BEFORE = 256
"""Bytes before the end of a candidate in which `exact` may begin: longer than any key of the 222 rules of gitleaks but
the multi-line ones, with the name it is assigned to."""
AFTER = 512
"""Bytes after it in which `exact` may end: the longest single-line tokens (JWT heads aside) are under 400."""


class RuleError(ValueError):
    """A rule that does not exist, cannot be compiled, or does not find its own sample; the message names it."""


Place: TypeAlias = tuple[int, int]
"""Start and end of a finding in the block's text, in bytes."""

Check: TypeAlias = Callable[[bytes, int, int], bool]


class Block(NamedTuple):
    """One content block as a `look` sees it. `tool` is the tool's name where the kind has one; `tools` are the names
    that the request declares."""

    kind: Kind
    role: str
    text: bytes
    tool: str = ""
    tools: tuple[str, ...] = ()


Look: TypeAlias = Callable[[Block], Iterable[Place]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing to find; see the module. Exactly one of `pattern` and `look` is set."""

    id: str
    """Unique over all families, `a-z0-9-`: what refusals, records and the policy call it."""
    title: str
    """Completes "this holds …": "an AWS access key id". Shown to developers."""
    pattern: str = ""
    caseless: bool = False
    dotall: bool = False
    """`.` matches a line feed too."""
    lines: bool = False
    """`^` and `$` match at line ends."""
    exact: str = ""
    before: int = BEFORE
    after: int = AFTER
    apart: bool = False
    """What `exact` matched once, found or not, is not looked at again: matches never overlap, groups of theirs may."""
    phrase: bool = False
    """`exact` is a long phrase that is tried in many places, and PCRE2 is to look for it (closer.py)."""
    worded: bool = False
    """`look` weighs many words, so a placeholder among them hides nothing of it; nor does it for `phrase`."""
    check: Check | None = None
    look: Look | None = None
    most: int = sys.maxsize
    """`look` is asked of texts of so many bytes at most."""
    ready: Callable[[], object] | None = None
    """Loads what `check` and `look` need, once; called before any text is looked at, as it may take a second."""
    declared: bool = False
    """What `look` says depends on the other tools of the request, not on the block alone."""
    kinds: frozenset[Kind] = REQUEST
    roles: frozenset[str] = frozenset()
    """user, assistant, system; empty is every role. Only for kinds that come from messages."""
    severity: Severity = "high"
    hold: int = 256
    """For the answer: bytes of a stream that are kept back until what follows them is known; the longest match."""
    samples: tuple[str, ...] = ()
    clean: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.pattern) == (self.look is not None):
            raise ValueError(f"rule {self.id}: exactly one of pattern and look")
        if not self.kinds or not self.samples:
            raise ValueError(f"rule {self.id}: needs kinds and at least one sample")

    @property
    def label(self) -> str:
        """The rule in a placeholder."""
        return self.id.replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """A family of rules: what the policy's `use` names.

    A family whose rules depend on the configuration has `settings`, a msgspec struct of what may stand under
    `settings` (documented field by field), and `make`, which turns them into the rules; `rules` is then what a
    deployment gets that sets nothing. Rules that are made carry samples that fit their settings.
    """

    name: str
    title: str
    rules: tuple[Rule, ...] = ()
    settings: type[msgspec.Struct] | None = None
    make: Callable[[Any], tuple[Rule, ...]] | None = None

    def __post_init__(self) -> None:
        if (self.settings is None) != (self.make is None):
            raise ValueError(f"scanner {self.name}: settings and make come together")


def load_scanners() -> dict[str, Scanner]:
    """Every family under `scanners/`, by name. Raises ValueError for a name or a rule's id that is used twice."""
    from fastgate.guards import scanners

    found: dict[str, Scanner] = {}
    owner: dict[str, str] = {}
    for module in sorted(pkgutil.iter_modules(scanners.__path__), key=lambda info: info.name):
        if module.name.startswith("_"):
            continue
        scanner = importlib.import_module(f"{scanners.__name__}.{module.name}").SCANNER
        if scanner.name in found:
            raise ValueError(f"two scanners are called {scanner.name}")
        found[scanner.name] = scanner
        for rule in scanner.rules:
            if rule.id in owner:
                raise ValueError(f"rule {rule.id} is in {owner[rule.id]} and in {scanner.name}")
            owner[rule.id] = scanner.name
    return found
