"""A file's tree into structs, with every mistake collected: path, line and, for an unknown key, the nearest known one.

Reads types from the structs' own annotations (config.py, directory.py). Knows no key by name.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar, get_args, get_origin

import msgspec

from fastgate.refs import RefError, Secret, has_refs, resolve_refs
from fastgate.tree import ConfigErrors, KeyPath, Node, Problem, find, parse, show_path

T = TypeVar("T")

BAD: Final[Any] = type("Bad", (), {"__repr__": lambda self: "BAD", "__slots__": ()})()
"""Stands where a value could not be read, so that checks across the file can still run on the rest."""

SHOWN_CHARS = 60
"""How much of a wrong value an error repeats."""
NUMBER = re.compile(r"[+-]?(\d[\d_]*)(\.\d+)?([eE][+-]?\d{1,3})?")
INTEGER = re.compile(r"[+-]?\d[\d_]*")


class Check:
    """Annotation: a test of one value, giving what is wrong with it or None."""

    __slots__ = ("test",)

    def __init__(self, test: Callable[[Any], str | None]) -> None:
        self.test = test


class Range:
    """Annotation: bounds of a number, both inclusive."""

    __slots__ = ("high", "low")

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high


class Later:
    """Annotation: values that name a feature which this version does not have."""

    __slots__ = ("values",)

    def __init__(self, *values: str) -> None:
        self.values = values


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """The known name closest to `name`."""
    return max(sorted(known), key=lambda other: difflib.SequenceMatcher(None, name.lower(), other).ratio())


_known_fields: dict[type[Any], dict[str, tuple[Any, bool]]] = {}


def _fields(kind: type[Any]) -> dict[str, tuple[Any, bool]]:
    """name -> (annotated type, required)"""
    known = _known_fields.get(kind)
    if known is None:
        hints = typing.get_type_hints(kind, include_extras=True)
        known = {field.name: (hints[field.name], field.required) for field in msgspec.structs.fields(kind)}
        _known_fields[kind] = known
    return known


_origins: dict[Any, tuple[Any, tuple[Any, ...]]] = {}


def _shape(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type's origin and arguments; typing takes a microsecond to tell them."""
    known = _origins.get(hint)
    if known is None:
        args = get_args(hint)
        known = _origins[hint] = (get_origin(hint), args)
    return known


class Reading(Generic[T]):
    """One file being read: `value` (with BAD where it failed) and what is wrong. `done` gives the value or raises."""

    def __init__(self, data: bytes, kind: type[T], environ: Mapping[str, str], file: str) -> None:
        self.file = file
        self.environ = environ
        self.root, self.problems = parse(data, file)
        self.value: T = self._struct(kind, self.root, ())

    def fault(self, path: KeyPath, message: str) -> Any:
        """Note a mistake at `path`."""
        return self._fault(find(self.root, path), path, message)

    def note(self, path: KeyPath, message: str) -> Problem:
        """The same shape for a warning; not collected."""
        return Problem(self.file, find(self.root, path).line, show_path(path), message)

    def done(self) -> T:
        if self.problems:
            raise ConfigErrors(sorted(self.problems, key=lambda problem: problem.line))
        return self.value

    def _fault(self, node: Node, path: KeyPath, message: str) -> Any:
        self.problems.append(Problem(self.file, node.line, show_path(path), message))
        return BAD

    def _struct(self, kind: type[Any], node: Node, path: KeyPath) -> Any:
        if node.kind != "mapping":
            return self._fault(node, path, f"expected a mapping, got {_shown(node)}")
        fields = _fields(kind)
        later: Mapping[str, str] = getattr(kind, "LATER", {})
        values: dict[str, Any] = {}
        for name, (line, child) in node.entries.items():
            if name in fields:
                hint, required = fields[name]
                if child.is_null and not required and _is_collection(hint):
                    continue
                values[name] = self._value(hint, child, (*path, name))
                continue
            self.problems.append(Problem(self.file, line, show_path((*path, name)), _unknown(name, fields, later)))
        for name, (_, required) in fields.items():
            if required and name not in node.entries:
                values[name] = self._fault(node, (*path, name), "missing")
        return kind(**values)

    def _value(self, hint: Any, node: Node, path: KeyPath) -> Any:
        origin, args = _shape(hint)
        if origin is typing.Annotated:
            base, *marks = args
            if any(isinstance(mark, Later) and node.text in mark.values for mark in marks):
                return self._fault(node, path, f"this version of fastgate does not have {node.text} yet")
            value = self._value(base, node, path)
            return value if value is BAD or value is None else self._marked(marks, value, node, path)
        if origin in (types.UnionType, typing.Union):
            return self._union(args, node, path)
        if origin in (tuple, list):
            return origin(self._list(args[0], node, path))
        if origin is dict:
            return self._dict(hint, node, path)
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return self._struct(hint, node, path)
        if hint is Any:
            return self._plain(node, path)
        if node.kind != "scalar":
            return self._fault(node, path, f"expected {_wanted(hint)}, got {_shown(node)}")
        if node.is_null:
            return self._fault(node, path, "has no value")
        try:
            text = resolve_refs(node.text, self.environ)
        except RefError as error:
            return self._fault(node, path, str(error))
        return self._scalar(hint, text, node, path)

    def _plain(self, node: Node, path: KeyPath) -> Any:
        """A value of no declared type, as YAML reads it."""
        if node.kind == "mapping":
            return {name: self._plain(child, (*path, name)) for name, (_, child) in node.entries.items()}
        if node.kind == "list":
            return [self._plain(child, (*path, index)) for index, child in enumerate(node.items)]
        if node.is_null:
            return None
        try:
            text = resolve_refs(node.text, self.environ)
        except RefError as error:
            return self._fault(node, path, str(error))
        if not node.plain:
            return text
        for kind in (_integer, _number, _boolean):
            value = kind(text)
            if value is not None:
                return value
        return text

    def _marked(self, marks: list[Any], value: Any, node: Node, path: KeyPath) -> Any:
        for mark in marks:
            if isinstance(mark, Range) and not mark.low <= value <= mark.high:
                return self._fault(node, path, f"must be between {mark.low} and {mark.high}, not {_shown(node)}")
            if isinstance(mark, Check) and (wrong := mark.test(value)) is not None:
                return self._fault(node, path, wrong)
        return value

    def _union(self, options: tuple[Any, ...], node: Node, path: KeyPath) -> Any:
        if node.is_null and types.NoneType in options:
            return None
        rest = [option for option in options if option is not types.NoneType]
        words = [word for option in rest if get_origin(option) is Literal for word in get_args(option)]
        if words and node.kind == "scalar":
            with contextlib.suppress(RefError):  # the other option reports it
                if (text := resolve_refs(node.text, self.environ)) in words:
                    return text
        plain = [option for option in rest if get_origin(option) is not Literal]
        value = self._value(plain[0], node, path)
        if value is BAD and words:
            last = self.problems.pop()
            message = last.message.replace(", got", f" or {', '.join(words)}, got", 1)
            self.problems.append(msgspec.structs.replace(last, message=message))
        return value

    def _list(self, item: Any, node: Node, path: KeyPath) -> list[Any]:
        """A value that is no list reads as an empty one, so that checks across the file need not know."""
        if node.kind != "list":
            self._fault(node, path, f"expected a list, got {_shown(node)}")
            return []
        return [self._value(item, child, (*path, index)) for index, child in enumerate(node.items)]

    def _dict(self, hint: Any, node: Node, path: KeyPath) -> Any:
        if node.kind != "mapping":
            self._fault(node, path, f"expected a mapping, got {_shown(node)}")
            return {}
        name_hint, value_hint = get_args(hint)
        marks = get_args(name_hint)[1:] if get_origin(name_hint) is typing.Annotated else ()
        out = {}
        for name, (_, child) in node.entries.items():
            self._marked(list(marks), name, child, (*path, name))
            out[name] = self._value(value_hint, child, (*path, name))
        return out

    def _scalar(self, hint: Any, text: str, node: Node, path: KeyPath) -> Any:
        if hint is str:
            return text
        if hint is Secret:
            return Secret(text, node.text)
        if get_origin(hint) is Literal:
            words = get_args(hint)
            known = [word for word in words if isinstance(word, str)]
            if text in known:
                return text
            message = f"must be one of {', '.join(known)}; nearest: {nearest(text, known)}"
            return self._fault(node, path, f"{message}; got {_shown(node)}")
        free = node.plain or has_refs(node.text)
        value = _SCALARS[hint](text) if free or hint is Decimal else None
        if value is None:
            quoted = "" if free else " in quotes"
            return self._fault(node, path, f"expected {_wanted(hint)}, got {_shown(node)}{quoted}")
        return value


def _unknown(name: str, fields: typing.Iterable[str], later: Mapping[str, str]) -> str:
    near = f"nearest known key: {nearest(name, fields)}"
    if name in later:
        return f"this version of fastgate does not have {later[name]} yet; {near}"
    close = difflib.get_close_matches(name, later, n=1, cutoff=0.8)
    if close:
        return f"unknown key; {near} ({close[0]} is a key of later versions)"
    return f"unknown key; {near}"


def _is_collection(hint: Any) -> bool:
    return get_origin(hint) in (tuple, list, dict) or (isinstance(hint, type) and issubclass(hint, msgspec.Struct))


def _integer(text: str) -> int | None:
    return int(text) if INTEGER.fullmatch(text) else None


def _number(text: str) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else None


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if NUMBER.fullmatch(text) else None


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _moment(text: str) -> datetime | None:
    """A date is its first instant in UTC; a date and time without a zone is UTC."""
    try:
        if len(text) == len("2027-01-01"):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_SCALARS: dict[Any, Callable[[str], Any]] = {
    int: _integer,
    float: _number,
    Decimal: _decimal,
    bool: _boolean,
    datetime: _moment,
}
_WANTED = {
    int: "a whole number",
    float: "a number",
    Decimal: "a decimal number",
    bool: "true or false",
    datetime: "a date or a date with time",
    str: "text",
    Secret: "text",
}


def _wanted(hint: Any) -> str:
    return _WANTED.get(hint, "one word")


def _shown(node: Node) -> str:
    """A value as the file wrote it: a reference stays a reference, so no variable's value is ever printed."""
    if node.kind != "scalar":
        return f"a {node.kind}"
    if node.is_null:
        return "nothing"
    return repr(node.text if len(node.text) <= SHOWN_CHARS else node.text[:SHOWN_CHARS] + "...")


def read(data: bytes, kind: type[T], environ: Mapping[str, str], file: str) -> Reading[T]:
    """Begin reading `data` as `kind`. Raises ConfigErrors at once when it is no YAML mapping."""
    return Reading(data, kind, environ, file)


def read_file(path: Path, kind: type[T], environ: Mapping[str, str]) -> Reading[T]:
    """The same from a file. One that cannot be read is a ConfigErrors too."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigErrors([Problem(str(path), 0, "", f"cannot be read: {error.strerror}")]) from None
    return read(data, kind, environ, str(path))
