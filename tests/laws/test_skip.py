"""The byte loops of skip.h, on every kind of machine that this one can stand for: all kinds answer alike, and none
reads a byte at or past the end (the bytes lie against a page that may not be touched)."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import platform
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

SOURCES = Path(__file__).parents[2] / "src/fastgate/_core"
HARNESS = """
#include "skip.h"
#if WIDE
#define READ fg_string_long_avx2
#else
#define READ fg_string_long_base
#endif
typedef const unsigned char *bytes;
bytes string_end(bytes p, bytes end, int strict, int whole, fg_text *text) {
    if (whole) return fg_string_end(p, end, strict, text);
    text->shrink = 0;
    text->fault = 0;
    text->at = NULL;
    return READ(p, end, strict, text);
}
bytes line_end(bytes p, bytes end) { return fg_line_end(p, end); }
size_t unescape(bytes p, size_t n, unsigned char *out) { return fg_unescape(p, n, out); }
"""
KINDS = {"words": ["-DFASTGATE_PORTABLE", "-DWIDE=0"], "base": ["-DWIDE=0"]}
if platform.machine() == "x86_64" and "avx2" in Path("/proc/cpuinfo").read_text():
    KINDS["avx2"] = ["-DWIDE=1"]

PROT_NONE = 0
ROOM = mmap.PAGESIZE

BYTES = st.lists(
    st.one_of(
        st.sampled_from([
            b'"', b"\\", rb"\\", rb"\"", rb"\n", rb"\/", rb"\u00e9", rb"\ud83d\ude00", rb"\ud83d", rb"\x", b"\r", b"\n",
            b"\x00", b"\x7f", b"\xc3\xa9", b"\xe2\x86\x92", b"\xe0\xa0\x80", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80",
            b"\xf4\x90\x80\x80", b"\xc0", b"\xff", b"\x80",
        ]),
        st.integers(1, 66).map(lambda n: b"a" * n),
    ),
    max_size=24,
).map(b"".join)  # fmt: skip


class Text(ctypes.Structure):
    _fields_ = [("shrink", ctypes.c_size_t), ("fault", ctypes.c_int), ("at", ctypes.c_void_p)]


def walled() -> tuple[mmap.mmap, int]:
    """A page of memory, and the address where it ends and nothing may be touched."""
    memory = mmap.mmap(-1, ROOM + mmap.PAGESIZE)
    end = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + ROOM
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if libc.mprotect(end, mmap.PAGESIZE, PROT_NONE):
        raise OSError(ctypes.get_errno(), "mprotect")
    return memory, end


class Kind:
    """The loops compiled for one kind of machine, over bytes that end where memory ends."""

    def __init__(self, library: Path) -> None:
        self.loops = ctypes.CDLL(str(library))
        pointer = ctypes.c_void_p
        self.loops.string_end.argtypes = [pointer, pointer, ctypes.c_int, ctypes.c_int, ctypes.POINTER(Text)]
        self.loops.line_end.argtypes = [pointer, pointer]
        self.loops.string_end.restype = self.loops.line_end.restype = pointer
        self.loops.unescape.argtypes = [pointer, ctypes.c_size_t, pointer]
        self.loops.unescape.restype = ctypes.c_size_t
        self.memory, self.end = walled()
        self.out, self.out_end = walled()

    def place(self, data: bytes) -> int:
        self.memory[ROOM - len(data) : ROOM] = data
        return self.end - len(data)

    def string(self, data: bytes, *, strict: bool, whole: bool) -> tuple[int | None, int, int, int | None]:
        """Where the closing quote is, what it shrinks by, or the fault and where."""
        start, text = self.place(data), Text()
        close = self.loops.string_end(start, self.end, strict, whole, ctypes.byref(text))
        at = text.at - start if text.at is not None else None
        return (close - start, text.shrink, 0, None) if close is not None else (None, 0, text.fault, at)

    def unescaped(self, data: bytes, room: int) -> bytes:
        """Of the inside of a string, into so much room and no more."""
        self.out[:ROOM] = b"?" * ROOM
        size = self.loops.unescape(self.place(data), len(data), self.out_end - room)
        assert self.out[: ROOM - room] == b"?" * (ROOM - room)
        return self.out[ROOM - room : ROOM - room + size]

    def line(self, data: bytes) -> int:
        start = self.place(data)
        return int(self.loops.line_end(start, self.end)) - start


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Kind]]:
    folder = tmp_path_factory.mktemp("skip")
    source = folder / "harness.c"
    source.write_text(HARNESS)
    compiler = os.environ.get("CC", sysconfig.get_config_var("CC").split()[0])
    made = {}
    for name, defines in KINDS.items():
        library = folder / f"{name}.so"
        flags = ["-O2", "-Wall", "-Werror", "-Wno-unused-function", "-fPIC", "-shared", *defines, f"-I{SOURCES}"]
        subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
        made[name] = Kind(library)
    return made


@pytest.mark.parametrize("strict", [False, True])
@given(inside=BYTES, closed=st.booleans())
@example(inside=b"", closed=False)
@example(inside=b"a" * 63 + b"\\", closed=True)
@example(inside=b"a" * 58 + rb"\ud83d" + b"\r", closed=False)
def test_all_kinds_read_strings_alike(kinds: dict[str, Kind], strict: bool, inside: bytes, closed: bool) -> None:
    data = inside + b'"' * closed
    answers = {
        (name, whole): kind.string(data, strict=strict, whole=whole)
        for name, kind in kinds.items()
        for whole in (False, True)
    }
    assert len(set(answers.values())) == 1, answers


@pytest.mark.parametrize("size", [*range(140), 1000])
def test_plain_strings_of_every_length(kinds: dict[str, Kind], size: int) -> None:
    for kind in kinds.values():
        assert kind.string(b"x" * size + b'"', strict=True, whole=True) == (size, 0, 0, None)
        assert kind.string(b"x" * size, strict=True, whole=True)[0] is None


@given(data=st.one_of(BYTES, st.integers(0, 200).map(lambda n: b"a" * n)))
def test_the_first_line_end(kinds: dict[str, Kind], data: bytes) -> None:
    ends = [at for at in (data.find(b"\n"), data.find(b"\r"), len(data)) if at >= 0]
    for kind in kinds.values():
        assert kind.line(data) == min(ends)


@given(
    text=st.lists(st.one_of(st.text(max_size=40), st.just('\\n"\t'), st.just("a" * 33))).map("".join),
    ascii=st.booleans(),
)
@example(text="a" * 15 + "\n" + "b" * 8 + "\n" + "c" * 7 + "\n", ascii=False)
def test_strings_unescaped_into_no_more_room_than_they_need(kinds: dict[str, Kind], text: str, ascii: bool) -> None:
    data, told = json.dumps(text, ensure_ascii=ascii)[1:-1].encode(), text.encode()
    assume(len(data) <= ROOM)
    for kind in kinds.values():
        assert kind.unescaped(data, len(told)) == told
