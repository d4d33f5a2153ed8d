"""What an answer may have made up: packages that nearly have a known name, tools and servers that do not exist.

Heuristics over names alone; nothing is looked up. A misspelled package is the dangerous case: somebody may have
registered it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from fastgate.guards.rule import ANSWER, Block, Check, Place, Rule, Scanner
from fastgate.guards.scanners._popular import NPM, PYPI

MIN_NAME = 5
"""Signs of a name: shorter ones are one letter from each other by chance."""

MAX_NAME = 1 + max(len(name) for name in PYPI | NPM)
"""A longer name is near to none that is known; the names that are near to it would be tried all the same, and they are
as many as it has signs, times forty."""

NAMES_MAX = 64
"""Names of one command that are judged."""

NAMES_KEPT = 1024
"""Names whose neighbours were tried, which takes some 0.3 ms: a window of a stream holds those of the one before."""

_ARGUMENT = re.compile(rb"[^\s;|&<>`'\"()]+")
_NAME = re.compile(r"(?:@[a-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
_NOT_ENDED = re.compile(rb"[\n;|&`]")


def _neighbours(name: str) -> set[str]:
    """Names that are one slip away: a letter left out, twice, swapped with the next, or another letter."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
    found = {name[:at] + name[at + 1 :] for at in range(len(name))}
    found |= {name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(len(name) - 1)}
    found |= {name[:at] + letter + name[at + 1 :] for at in range(len(name)) for letter in letters}
    found |= {name[:at] + letter + name[at:] for at in range(len(name) + 1) for letter in letters}
    return found


@lru_cache(maxsize=NAMES_KEPT)
def near_miss(name: str, known: frozenset[str]) -> str:
    """The widely used name that `name` nearly is, "" for none."""
    folded = name.lower().replace("_", "-") if known is PYPI else name.lower()
    if not MIN_NAME <= len(folded) <= MAX_NAME or folded in known:
        return ""
    return min(_neighbours(folded) & known, default="")


def _arguments(text: bytes, start: int) -> Iterator[tuple[int, int, str]]:
    """The names that an install command is given: options, files and addresses are none."""
    ended = _NOT_ENDED.search(text, start)
    end = ended.start() if ended else len(text)
    for count, match in enumerate(_ARGUMENT.finditer(text, start, end)):
        word = match[0].decode("utf-8", "replace")
        name = _NAME.match(re.split(r"[=<>~!\[]", word, maxsplit=1)[0])
        plain = name is not None and not word.startswith(("-", ".", "/")) and "://" not in word
        if count < NAMES_MAX and plain and name is not None:
            bare = name[0].rpartition("@")[0] or name[0] if "@" in name[0][1:] else name[0]
            yield match.start(), match.start() + len(bare.encode()), bare


def _is_near(known: frozenset[str]) -> Check:
    def check(text: bytes, start: int, end: int) -> bool:
        return any(near_miss(name, known) for _, _, name in _arguments(text, start))

    return check


_TOOL = re.compile(rb"\bmcp__[A-Za-z0-9-]{1,60}__[A-Za-z0-9_-]{1,60}")


def unknown_tools(block: Block) -> Iterator[Place]:
    """A server's tool that the request does not declare."""
    if b"mcp__" not in block.text:  # all that most answers need, at a hundredth of the search
        return
    declared = {tool.encode() for tool in block.tools}
    for match in _TOOL.finditer(block.text):
        if match[0] not in declared:
            yield match.span()


PIP = r"(?:pip3? install|uv add|uv pip install|poetry add|pipx install|conda install)"
NODE = r"(?:npm (?:install|i|add|exec)|npx|pnpm (?:add|install|dlx)|yarn add|bun (?:add|x|install))"

RULES = (
    Rule(
        id="package-near-miss-pypi",
        title="a Python package whose name is one letter from a widely used one",
        pattern=PIP + r"\s",
        exact=PIP + r"\s{1,3}(?P<secret>[^\n;|&]{2,300})",
        before=64,
        after=320,
        check=_is_near(PYPI),
        kinds=ANSWER,
        severity="high",
        samples=("pip install reqeusts", "run `pip install -U numpyy pandas`", "uv add beautifulsoup"),
        clean=("pip install requests", "pip install -r requirements.txt", "pip install our-own-thing==1.2"),
    ),
    Rule(
        id="package-near-miss-npm",
        title="a Node package whose name is one letter from a widely used one",
        pattern=NODE + r"\s",
        exact=NODE + r"\s{1,3}(?P<secret>[^\n;|&]{2,300})",
        before=64,
        after=320,
        check=_is_near(NPM),
        kinds=ANSWER,
        severity="high",
        samples=("npm install expres", "npm i --save-dev typescripts", "yarn add lodahs"),
        clean=("npm install express@4", "npx create-thing", "npm i -D @types/node"),
    ),
    Rule(
        id="unknown-server-tool",
        title="a server's tool that the request does not declare",
        look=unknown_tools,
        kinds=ANSWER,
        severity="low",
        samples=("use mcp__files__search for it",),
        clean=("mcp is a protocol",),
    ),
)

SCANNER = Scanner(name="hallucination", title="Names that an answer may have made up", rules=RULES)
