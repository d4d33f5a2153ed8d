"""YAML text to a tree of nodes that remember their lines. Knows the syntax, not what any key means.

Stricter than YAML: one document, no tags, no duplicate keys, text keys only. Scalars keep the text that was written, so
that `0.1` can become an exact decimal and `off` stays what it is; strict.py reads them as the type that is expected.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
import yaml

from fastgate.refs import REF

MAX_FILE_BYTES = 64 * 1024 * 1024
"""A directory of 100,000 keys is 15 MB; this leaves a factor of four."""
MAX_NODES = 4_000_000
"""What aliases may expand to. The same 100,000 keys are 1.1 million nodes."""
MAX_DEPTH = 32
"""The deepest structure of both files is five levels."""

KeyPath = tuple[str | int, ...]

OPEN, CLOSE = "\ue001", "\ue002"
"""Stand in for the braces of `${VAR}` while YAML reads: in `{api_key: ${VAR}}` it would take them for its own."""
NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_@-]+")


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a file. `line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class ConfigErrors(Exception):  # noqa: N818 - it holds many errors
    """Everything that is wrong with a configuration, at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Node:
    """A scalar (`text`), list (`items`) or mapping (`entries`). `size` counts this node and those under it."""

    __slots__ = ("entries", "items", "kind", "line", "plain", "size", "text")

    def __init__(self, kind: Literal["scalar", "list", "mapping"], line: int) -> None:
        self.kind = kind
        self.line = line
        self.size = 1
        self.text = ""
        self.plain = False
        self.items: list[Node] = []
        self.entries: dict[str, tuple[int, Node]] = {}

    @property
    def is_null(self) -> bool:
        return self.kind == "scalar" and self.plain and self.text in NULLS


def show_path(path: KeyPath) -> str:
    """`("endpoints", 1, "base_url")` as `endpoints[1].base_url`."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        elif _PLAIN_NAME.fullmatch(part):
            out += f".{part}" if out else part
        else:
            out += f'["{part}"]'
    return out


def parse_path(shown: str) -> KeyPath:
    """The reverse of `show_path`, for paths of plain names."""
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in re.findall(r"\[\d+\]|[^.\[\]]+", shown))


def find(root: Node, path: KeyPath) -> Node:
    """The node at `path`, or the nearest one above it that exists."""
    node = root
    for part in path:
        if isinstance(part, int):
            if part >= len(node.items):
                return node
            node = node.items[part]
        else:
            if part not in node.entries:
                return node
            node = node.entries[part][1]
    return node


class _TreeError(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Builder:
    """Makes the tree from PyYAML's events: no intermediate graph, which for large directories is 1 GB of marks."""

    def __init__(self, text: str, file: str) -> None:
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.loader = loader(text)
        self.file = file
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node] = {}
        self.count = 0

    def document(self) -> Node | None:
        """The one document's root; None when the file holds nothing."""
        take = self.loader.get_event
        take()
        if self.loader.check_event(yaml.StreamEndEvent):
            return None
        take()
        root = self.node(take(), (), 0)
        take()
        if not self.loader.check_event(yaml.StreamEndEvent):
            line = self.loader.peek_event().start_mark.line + 1
            raise _TreeError(line, "a second document (---) begins here; one is expected")
        return root

    def node(self, event: Any, path: KeyPath, depth: int) -> Node:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, line)
        if event.tag is not None and event.tag != "!":
            raise _TreeError(line, f"the tag {event.tag} is not used here; remove it")
        if depth > MAX_DEPTH:
            raise _TreeError(line, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent):
            node = Node("scalar", line)
            node.text = event.value.replace(OPEN, "{").replace(CLOSE, "}")
            node.plain = event.style is None or event.style == ""
            self.grow(1, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Node("list", line)
            self.fill_list(node, path, depth)
        else:
            node = Node("mapping", line)
            self.fill_mapping(node, path, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def grow(self, count: int, line: int) -> None:
        self.count += count
        if self.count > MAX_NODES:
            raise _TreeError(line, f"aliases expand this file to more than {MAX_NODES} values")

    def alias(self, event: Any, line: int) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            raise _TreeError(line, f"*{event.anchor} names no anchor that is complete above it")
        self.grow(node.size, line)
        return node

    def fill_list(self, node: Node, path: KeyPath, depth: int) -> None:
        while not self.loader.check_event(yaml.SequenceEndEvent):
            item = self.node(self.loader.get_event(), (*path, len(node.items)), depth + 1)
            node.items.append(item)
            node.size += item.size
        self.loader.get_event()
        self.grow(1, node.line)

    def fill_mapping(self, node: Node, path: KeyPath, depth: int) -> None:
        while not self.loader.check_event(yaml.MappingEndEvent):
            event = self.loader.get_event()
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise _TreeError(line, "a key must be plain text")
            name = event.value.replace(OPEN, "{").replace(CLOSE, "}")
            value = self.node(self.loader.get_event(), (*path, name), depth + 1)
            node.size += value.size
            if name in node.entries:
                first = node.entries[name][0]
                self.problems.append(
                    Problem(self.file, line, show_path((*path, name)), f"given twice; first on line {first}")
                )
            else:
                node.entries[name] = (line, value)
        self.loader.get_event()
        self.grow(1, node.line)


def _syntax(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 0
        return line, f"not YAML: {getattr(error, 'reason', None) or 'a character that YAML does not allow'}"
    line = mark.line + 1
    lines = text.splitlines()
    here = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or here[mark.column : mark.column + 1] == "\t":
        return line, "a tab; YAML is indented with spaces"
    problem = getattr(error, "problem", None) or "cannot be read"
    context = getattr(error, "context", None)
    return line, f"not YAML: {problem}{f' ({context})' if context else ''}"


def decode(data: bytes) -> str:
    """The file's text. Raises ValueError with what is wrong with its bytes."""
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
    if data.startswith(b"\xef\xbb\xbf") or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("begins with a byte order mark; save it as UTF-8 without one")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"not UTF-8 at byte {error.start} (line {line})") from None
    if OPEN in text or CLOSE in text:
        raise ValueError("holds a private-use character (U+E001 or U+E002)")
    return text


def parse(data: bytes, file: str) -> tuple[Node, list[Problem]]:
    """The tree of `data`, its root a mapping, and the duplicate keys in it. Raises ConfigErrors if there is none."""
    try:
        text = decode(data)
    except ValueError as error:
        raise ConfigErrors([Problem(file, 0, "", str(error))]) from None
    guarded = REF.sub(lambda match: f"${OPEN}{match[1]}{CLOSE}", text)
    try:
        builder = _Builder(guarded, file)
        root = builder.document()
    except _TreeError as stop:
        raise ConfigErrors([Problem(file, stop.line, "", str(stop))]) from None
    except yaml.YAMLError as error:
        line, message = _syntax(error, guarded)
        raise ConfigErrors([Problem(file, line, "", message)]) from None
    if root is None or root.is_null:
        raise ConfigErrors([Problem(file, 0, "", "empty; a mapping is expected")])
    if root.kind != "mapping":
        raise ConfigErrors([Problem(file, root.line, "", f"a mapping is expected, this is a {root.kind}")])
    return root, builder.problems
