"""Which tools may be declared and used: by name, with `*`; per key, user or team through the guard's scope."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import msgspec

from fastgate.guards.rule import Block, Kind, Place, Rule, Scanner

KINDS: frozenset[Kind] = frozenset({"tool_schema", "tool_use_input", "answer_tool_input"})

NAME_BYTES = 128
"""The provider's limit of a tool's name."""


class Tools(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scanner `tools`."""

    allow: tuple[str, ...] = ()
    """Names that may be used, `*` matches anything; empty: every name that is not denied."""
    deny: tuple[str, ...] = ()
    """Names that may not be used; they win over `allow`."""


def name_of(block: Block) -> bytes:
    """The tool's name: the block's own, or the line `name: ...` that a definition has."""
    head = block.text[: NAME_BYTES + 8]
    if head.startswith(b"name: "):
        return head[6:].partition(b"\n")[0].strip()
    if block.tool:
        return block.tool.encode()
    at = block.text.find(b"\nname: ")
    return block.text[at + 7 :].partition(b"\n")[0].strip()[:NAME_BYTES] if at >= 0 else b""


def make(settings: Tools) -> tuple[Rule, ...]:
    """One rule; none where nothing is set. ValueError for a name that no tool can have."""
    if bad := [glob for glob in (*settings.allow, *settings.deny) if not glob or " " in glob]:
        raise ValueError(f"tools: {bad[0]!r} is no name of a tool")
    if not settings.allow and not settings.deny:
        return ()

    def look(block: Block) -> Iterator[Place]:
        name = name_of(block).decode("utf-8", "replace")
        denied = any(fnmatchcase(name, glob) for glob in settings.deny)
        if name and (denied or (settings.allow and not any(fnmatchcase(name, glob) for glob in settings.allow))):
            yield 0, max(1, len(block.text))

    refused = settings.deny[0].replace("*", "x") if settings.deny else "no-such-tool"
    return (
        Rule(
            id="tool-denied",
            title="a tool that may not be used",
            look=look,
            kinds=KINDS,
            severity="high",
            samples=(f"name: {refused}\ndescription: x",),
        ),
    )


SCANNER = Scanner(name="tools", title="Tools that may be declared and used", settings=Tools, make=make)
