"""Graphs of notes as files, so that whoever starts need not build them again: 0.2 s of work in place of 90 at 100,000.

A graph's file is named by its SHA-256; the manifest names the graphs of one moment, each point's place in the log of
notes, and how far in the log that moment is. It is replaced as a whole, after the graphs that it names are on disk, so
a crash leaves the old ones or the new. Vectors and numbers are all there is: notes come from the log, each proven by
its row's checksum. What is not what was written is dropped, and built again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fastgate.caching.semantic.folder import MANIFEST, alone
from fastgate.caching.semantic.shelf import EF_BUILD, LINKS, PLACE_DIM, Shelf
from fastgate.durable import write_whole
from fastgate.log import Log

if TYPE_CHECKING:
    from fastgate.caching.semantic.notes import Notes, Place

MAGIC = b"FGG2"
DIGEST_BYTES = 32

SUFFIX = ".graph"

MADE_BY = f"hnswlib {version('hnswlib')} {LINKS} {EF_BUILD} {PLACE_DIM}"
"""What else reads a graph otherwise."""

log = Log("cache")


class Point(msgspec.Struct, array_like=True, gc=False):
    place: int | bytes
    checksum: bytes
    label: int


class Kept(msgspec.Struct, array_like=True):
    """One shelf's graph."""

    scope: tuple[str, ...]
    namespace: str
    digest: str
    shape: tuple[int, int, int]
    points: list[Point]


class Manifest(msgspec.Struct, array_like=True):
    """`place`: how far in the log the graphs go; `purges`: how many purges of it they have obeyed."""

    made_by: str
    identity: str
    dim: int
    place: int | bytes
    purges: int
    kept: list[Kept]


class StaleError(Exception):
    """Graphs that are not of this log, or not what was written."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Manifest).decode


class Loaded:
    """Graphs in the shelves of `notes`; `points` tells whose each is, by its place in the log."""

    def __init__(self, manifest: Manifest) -> None:
        self.place = manifest.place
        self.points: dict[int | bytes, tuple[bytes, Place, int]] = {}
        for kept in manifest.kept:
            place = (kept.scope, kept.namespace)
            self.points.update((point.place, (point.checksum, place, point.label)) for point in kept.points)


class Graphs:
    """The folder of one log's graphs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def load(self, notes: Notes, points_max: int) -> Loaded | None:
        """Put the graphs that are here, and have no more points, into the empty notes; their items are to be put back
        from the log. None where there are none for them. Raises StaleError."""
        manifest = self.manifest(notes)
        if manifest is None:
            return None
        manifest.kept = [kept for kept in manifest.kept if len(kept.points) + kept.shape[1] <= points_max]
        for kept in manifest.kept:
            shelf = notes.shelves[kept.scope, kept.namespace] = Shelf(notes.dim)
            try:
                with (self.directory / (kept.digest + SUFFIX)).open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != kept.digest:
                        raise StaleError("a graph is not what was written")
                    shelf.read_graph(f"/proc/self/fd/{file.fileno()}", kept.shape)
            except (OSError, RuntimeError) as error:
                raise StaleError(str(error)) from None
        return Loaded(manifest)

    def manifest(self, notes: Notes) -> Manifest | None:
        """What is here for such notes. Raises StaleError for a manifest that cannot be read."""
        try:
            data = (self.directory / MANIFEST).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StaleError(str(error)) from None
        start = len(MAGIC) + DIGEST_BYTES
        if data[: len(MAGIC)] != MAGIC or hashlib.sha256(data[start:]).digest() != data[len(MAGIC) : start]:
            raise StaleError("the manifest is not what was written")
        try:
            manifest = _decode(data[start:])
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise StaleError("the manifest cannot be read") from None
        wanted = (MADE_BY, notes.identity, notes.dim)
        return manifest if (manifest.made_by, manifest.identity, manifest.dim) == wanted else None

    def save(self, notes: Notes, place: int | bytes, purges: int) -> None:
        """Write the graphs of notes that nobody changes meanwhile, which hold the log up to `place`, after so many
        purges. Raises OSError, or what the index says; then the folder is as it was."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(self.directory):
            before = set(self.directory.iterdir())
            try:
                kept = [self._keep(where, shelf) for where, shelf in notes.shelves.items() if shelf.shape is not None]
                body = _encode(Manifest(MADE_BY, notes.identity, notes.dim, place, purges, kept))
                write_whole(self.directory / MANIFEST, MAGIC + hashlib.sha256(body).digest() + body)
            except BaseException:
                for path in set(self.directory.iterdir()) - before:
                    path.unlink(missing_ok=True)
                raise
            named = {MANIFEST, *(each.digest + SUFFIX for each in kept)}
            for path in self.directory.iterdir():
                if path.name not in named:
                    path.unlink(missing_ok=True)  # of a moment before, or half of one

    def _keep(self, where: Place, shelf: Shelf) -> Kept:
        temporary = self.directory / f".{secrets.token_hex(8)}"
        size = shelf.write_graph(str(temporary))
        os.chmod(temporary, 0o600)
        if temporary.stat().st_size != size:
            raise OSError(errno.ENOSPC, "a graph could not be written whole")
        with temporary.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        temporary.replace(self.directory / (digest + SUFFIX))
        points = [Point(*item.at, label) for label, item in shelf.items.items() if item.at is not None]
        assert shelf.shape is not None
        return Kept(*where, digest, shelf.shape, points)

    def drop(self) -> None:
        """What is here is of no use."""
        (self.directory / MANIFEST).unlink(missing_ok=True)
