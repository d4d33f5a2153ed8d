"""Rules for Cython source, read by indentation and brackets: enough for our own style, no parser of the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.tidy.rules import MAX_FUNCTION_LINES, Complaint, name_complaint

_NOT_CODE = re.compile(r"(?s)(\"\"\"|''').*?\1|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*")
_DEFINITION = re.compile(r"^(?P<indent>\s*)(?:(?:cdef|cpdef|async\s+def|def)\s+)(?P<rest>.*)$", re.DOTALL)
_CLASS = re.compile(r"^\s*(?:cdef\s+)?class\s+(\w+)", re.MULTILINE)
_RECORD = re.compile(r"^\s*(?:cdef|ctypedef)\s+(?:packed\s+)?(?:struct|enum|union)\s+(\w+)", re.MULTILINE)
_FOREIGN_IMPORT = re.compile(r"^\s*(?:from|import|cimport)\s+(fastgate(?!\._core)[\w.]*)", re.MULTILINE)
_FLOAT = re.compile(r"\b(?:float|double)\b|(?<![\w.])\d+\.\d*(?![\w.])|(?<![\w.])\d+[eE]-?\d+")

_FUNCTION_POINTER = re.compile(r"\(\s*\*\s*\w*\s*\)\s*\(")

_OBJECTS = frozenset({"object", "bytes", "bytearray", "str", "list", "dict", "tuple", "set", "frozenset", "type"})
_C_NAMES = re.compile(r"^(Py_\w+|Py[A-Z]\w+\*?)$")


def code(source: str) -> str:
    """The source with strings and comments blanked; lines and columns stay where they are."""
    return _NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)


@dataclass(frozen=True)
class Function:
    """One def, cdef or cpdef: `kind` the keyword, `returns` the words before the name, `tail` those after the `)`."""

    line: int
    last_line: int
    kind: str
    name: str
    returns: str
    tail: str


def _logical_lines(blanked: str) -> Iterator[tuple[int, str]]:
    """Lines joined while a bracket is open, with the number of the first."""
    start, joined, depth = 0, "", 0
    for number, line in enumerate(blanked.splitlines(), 1):
        if not joined:
            start = number
        joined += line + "\n"
        depth += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
        if depth <= 0:
            yield start, joined.rstrip()
            joined, depth = "", 0


def _closing(text: str, opening: int) -> int:
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
    return len(text)


def _last_line(lines: list[str], first: int, indent: int) -> int:
    """The last line, counted from 1, of the block that the logical line ending before `first` (from 0) opens."""
    last = first
    for number in range(first, len(lines)):
        if lines[number].strip():
            if len(lines[number]) - len(lines[number].lstrip()) <= indent:
                break
            last = number + 1
    return last


def functions(source: str) -> list[Function]:
    blanked = code(source)
    lines = blanked.splitlines()
    found = []
    for number, logical in _logical_lines(blanked):
        match = _DEFINITION.match(logical)
        if match is None:
            continue
        rest = match["rest"]
        opening = rest.find("(")
        head = rest[:opening].split() if opening > 0 else []
        if not head or "=" in rest[:opening] or _FUNCTION_POINTER.match(rest, opening):
            continue  # a variable, a type, or a pointer to a function
        if head[0] in {"class", "struct", "enum", "union", "extern", "packed", "fused"}:
            continue
        head = [word for word in head if word not in {"inline", "api", "public"}]
        last = _last_line(lines, number - 1 + logical.count("\n") + 1, len(match["indent"]))
        returns, name = " ".join(head[:-1]), head[-1]
        returns += "*" * (len(name) - len(name.lstrip("*")))
        tail = rest[_closing(rest, opening) + 1 :].strip()
        found.append(Function(number, last, logical.split()[0], name.lstrip("*"), returns, tail))
    return found


def records(source: str) -> set[str]:
    """Names of structs, enums and unions: C types, although they look like classes."""
    return set(_RECORD.findall(code(source)))


def _returns_object(returns: str, c_records: set[str]) -> bool:
    """Python objects propagate exceptions by themselves, and Cython refuses an except clause on them."""
    words = returns.replace("*", " * ").split()
    if not words:
        return True
    if "*" in words:
        return False
    kind = words[-1].split("[")[0]
    return kind in _OBJECTS or (kind[0].isupper() and kind not in c_records and not _C_NAMES.match(kind))


def undeclared_exceptions(source: str, c_records: set[str]) -> Iterator[Complaint]:
    for function in functions(source):
        declared = "except" in function.tail
        if function.kind in {"cdef", "cpdef"} and not declared and not _returns_object(function.returns, c_records):
            yield function.line, f"{function.name} must say except or noexcept"


def long_functions(source: str) -> Iterator[Complaint]:
    for function in functions(source):
        lines = function.last_line - function.line + 1
        if lines > MAX_FUNCTION_LINES:
            yield function.line, f"{function.name} has {lines} lines"


def names(source: str) -> Iterator[Complaint]:
    blanked = code(source)
    for function in functions(source):
        if complaint := name_complaint(function.name):
            yield function.line, complaint
    for found in _CLASS.finditer(blanked):
        if complaint := name_complaint(found[1]):
            yield blanked.count("\n", 0, found.start()) + 1, complaint


def has_cdef_class(source: str) -> bool:
    return re.search(r"^cdef class ", code(source), re.MULTILINE) is not None


def opens_with_docstring(source: str) -> bool:
    lines = [line for line in source.splitlines() if line.strip() and not line.startswith("# cython:")]
    return bool(lines) and lines[0].startswith(('"""', 'r"""'))


def foreign_imports(source: str) -> Iterator[Complaint]:
    blanked = code(source)
    for found in _FOREIGN_IMPORT.finditer(blanked):
        yield blanked.count("\n", 0, found.start()) + 1, f"_core knows nothing of {found[1]}"


def floats(source: str) -> Iterator[Complaint]:
    for number, line in enumerate(code(source).splitlines(), 1):
        if found := _FLOAT.search(line):
            yield number, f"{found[0]} in a file that owns money"
