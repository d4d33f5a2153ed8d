"""How long a block may be: in bytes, lines and estimated tokens."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastgate.guards.rule import KINDS, Block, Place, Rule, Scanner

BYTES_PER_TOKEN = 4
"""English prose has some 4.4 bytes a token, code 3: an estimate that errs to more tokens for prose."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scanner `limits`; 0 is no limit."""

    block_bytes: int = 0
    """Bytes of one content block."""
    block_lines: int = 0
    """Lines of one content block."""
    block_tokens: int = 0
    """Estimated tokens of one content block, four bytes each."""


def make(settings: Limits) -> tuple[Rule, ...]:
    """A rule for each limit that is set. ValueError for a negative one."""
    if min(settings.block_bytes, settings.block_lines, settings.block_tokens) < 0:
        raise ValueError("limits: a limit is 0 or more")

    def too_long(most: int) -> Rule:
        def look(block: Block) -> Iterator[Place]:
            if len(block.text) > most:
                yield most, len(block.text)

        return Rule(
            id="block-bytes",
            title=f"a block of more than {most} bytes",
            look=look,
            kinds=frozenset(KINDS),
            severity="medium",
            samples=("x" * (most + 1),),
            clean=("x" * min(most, 100),),
        )

    def too_many_lines(most: int) -> Rule:
        def look(block: Block) -> Iterator[Place]:
            if block.text.count(b"\n") >= most:
                yield 0, len(block.text)

        return Rule(
            id="block-lines",
            title=f"a block of more than {most} lines",
            look=look,
            kinds=frozenset(KINDS),
            severity="medium",
            samples=("x\n" * (most + 1),),
            clean=("x",),
        )

    rules = []
    most_bytes = [limit for limit in (settings.block_bytes, settings.block_tokens * BYTES_PER_TOKEN) if limit]
    if most_bytes:
        rules.append(too_long(min(most_bytes)))
    if settings.block_lines:
        rules.append(too_many_lines(settings.block_lines))
    return tuple(rules)


SCANNER = Scanner(name="limits", title="Length of blocks", settings=Limits, make=make)
