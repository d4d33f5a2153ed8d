"""What of a request a model has not been shown before, as an auditor asks for it: by a file's SHA-256, or its path.

A sighting is a text that came from outside: of the user, of a tool, of a document. System prompts, tool definitions and
what the model itself wrote are none. A few digests for each reading of a text, with a line feed more or less at its
end, because tools show a file without its last one; and the same again without the line numbers that Read puts before
each line. So `sha256sum FILE` is found where all of a file was shown, as it is on the disk: UTF-8, with line feeds.
What is kept is a keyed hash of each digest: from the records alone nobody can test a guess at a short text.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from fastgate._core.peel import unnumbered
from fastgate.guards.rule import KINDS

if TYPE_CHECKING:
    from fastgate._core.block import Block
    from fastgate._core.blocks import Blocks

Sighting = tuple[int, str, bytes]
"""Index of the block's kind, the file's path where a tool was told to read one, and marks, MARK_BYTES each."""

MARK_BYTES = 16
"""128 bits: among a billion texts no two have the same."""

SHOWN = frozenset(KINDS.index(kind) for kind in ("user_text", "tool_result", "document"))

SIGHTINGS_MAX = 4096
"""Of one call, as recorded: more new blocks than the longest conversations have, and 0.5 MB of record at most."""

PATH_CHARS = 1024

_PADDED = re.compile(rb" {2,5}[0-9]{1,5}(?:\xe2\x86\x92|\t)")
"""How Read numbers a line. No file begins so but one that such a listing was saved in, which is found by its path."""
_NUMBERED = re.compile(rb"[ \t]*[0-9]{1,7}(?:\xe2\x86\x92|\t)")
_REMINDER = re.compile(rb"<system-reminder>\n.*\n</system-reminder>\n*\Z", re.DOTALL)


class _Told(msgspec.Struct):
    """Members of a tool's input that name the file it reads."""

    file_path: str = ""
    notebook_path: str = ""
    path: str = ""


_decode_told = msgspec.json.Decoder(_Told).decode


def key_of(pepper: bytes) -> bytes:
    """The key of marks; `pepper`: the state directory's."""
    return hashlib.blake2b(pepper, person=b"fastgate-seen", digest_size=32).digest()


@lru_cache(maxsize=4)
def _keyed(key: bytes) -> hashlib.blake2b:
    """A hash that has taken the key: a copy of it costs a quarter of another one."""
    return hashlib.blake2b(key=key, digest_size=MARK_BYTES)


def mark_of(key: bytes, sha256: bytes) -> bytes:
    """What is kept of a digest."""
    keyed = _keyed(key).copy()
    keyed.update(sha256)
    return keyed.digest()


def sighting(key: bytes, blocks: Blocks, block: Block) -> Sighting | None:
    """The block as an auditor may ask for it; None where it is of no kind that is recorded."""
    if block.kind not in SHOWN:
        return None
    text = block.text
    found = () if _PADDED.match(text) else digests(text)
    if _NUMBERED.match(text):
        found += digests(unnumbered(without_reminder(text)))
    return block.kind, path_of(blocks, block), b"".join([mark_of(key, digest) for digest in found])


def without_reminder(text: bytes) -> bytes:
    """Without what Claude Code puts behind a file."""
    if not text.endswith(b"</system-reminder>") and not text.rstrip(b"\n").endswith(b"</system-reminder>"):
        return text
    at = text.find(b"<system-reminder>\n")
    return text[:at].rstrip(b"\n") if at >= 0 and _REMINDER.match(text, at) else text


def digests(text: bytes) -> tuple[bytes, ...]:
    """SHA-256 of the text as it is, and with one line feed more or less at its end."""
    if not text.endswith(b"\n"):
        hashed = hashlib.sha256(text)
        first = hashed.digest()
        hashed.update(b"\n")
        return first, hashed.digest()
    hashed = hashlib.sha256(memoryview(text)[:-1])
    less = hashed.digest()
    hashed.update(b"\n")
    first = hashed.digest()
    hashed.update(b"\n")
    return first, hashed.digest(), less


def path_of(blocks: Blocks, block: Block) -> str:
    """The file that the tool was told of whose result the block is."""
    used = blocks.use_of(block)
    if used is None:
        return ""
    name, told = used
    try:
        said = _decode_told(told)
    except msgspec.MsgspecError:
        return ""
    path = said.file_path or said.notebook_path or (said.path if "read" in name.lower() else "")
    return path[:PATH_CHARS]
