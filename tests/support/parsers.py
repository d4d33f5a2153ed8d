"""Four independent JSON readers, each told to read a body as its own users would: json, msgspec, orjson and node.

What they say of one body is what a provider's stack may make of it. `same` compares their trees as doubles, because
that is all node has.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest

NODE = """
const fs = require("fs");
const utf8 = new TextDecoder("utf-8", {fatal: true, ignoreBOM: true});
function readExactly(size) {
    const buffer = Buffer.alloc(size);
    let have = 0;
    while (have < size) {
        const got = fs.readSync(0, buffer, have, size - have, null);
        if (got === 0) process.exit(0);
        have += got;
    }
    return buffer;
}
while (true) {
    const body = readExactly(readExactly(4).readUInt32LE(0));
    let answer;
    try {
        answer = JSON.stringify([JSON.parse(utf8.decode(body))]);
    } catch (error) {
        answer = JSON.stringify(String(error));
    }
    fs.writeSync(1, answer.length === 0 ? "null" : answer.replace(/\\n/g, " ") + "\\n");
}
"""
"""Bodies by length on standard input; for each a line: the tree in an array, or what is wrong as a string."""


class NotReadError(ValueError):
    """One of the four does not read the body."""


class Node:
    """A node process that reads bodies. Skips the test where there is no node."""

    def __init__(self) -> None:
        found = shutil.which("node")
        if found is None:
            pytest.skip("node is not installed (make peers)")
        self.process = subprocess.Popen([found, "-e", NODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, body: bytes) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(struct.pack("<I", len(body)) + body)
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if isinstance(answer, str):
            raise NotReadError(answer)
        return answer[0]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


Reader = Callable[[bytes], Any]


def standard(body: bytes) -> Any:
    return json.loads(body)


def readers(node: Node) -> dict[str, Reader]:
    return {"json": standard, "msgspec": msgspec.json.decode, "orjson": orjson.loads, "node": node}


def read_with(reader: Reader, body: bytes) -> Any:
    """The tree, with every number as a double; NotReadError where the reader refuses."""
    try:
        return as_doubles(reader(body))
    except (ValueError, RecursionError, OverflowError) as error:
        raise NotReadError(str(error)) from None


def as_doubles(tree: Any) -> Any:
    """Levels of a body that was accepted are at most 64, so recursion is safe."""
    if isinstance(tree, dict):
        return {name: as_doubles(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [as_doubles(value) for value in tree]
    if isinstance(tree, int) and not isinstance(tree, bool):
        return float(tree)
    return tree
