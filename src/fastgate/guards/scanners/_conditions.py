"""Conditions of custom rules: `tool == "Bash" && size > 1000 && text.contains("prod")`, a small part of CEL.

Owns the language: comparison, `&&`, `||`, `!`, `in`, lists, strings, numbers, and four methods of strings. A condition
is parsed once; running it calls nothing but those. Names: kind, role, tool, text, size (bytes), lines.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

from fastgate.guards.rule import Block

Condition = Callable[[Block], bool]

LONGEST = 2_000
"""Signs of a condition: more is a program, not a condition."""

NAMES: dict[str, Callable[[Block], Any]] = {
    "kind": lambda block: block.kind,
    "role": lambda block: block.role,
    "tool": lambda block: block.tool,
    "text": lambda block: block.text.decode("utf-8", "replace"),
    "size": lambda block: len(block.text),
    "lines": lambda block: block.text.count(b"\n") + 1,
}
METHODS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda value, many: value in many,
}
_SIGNS = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(&&)|(\|\|)|(!(?!=))""")


def parse(text: str) -> Condition:
    """The condition, ready to run. ValueError says what in it is not of the language."""
    if len(text) > LONGEST:
        raise ValueError(f"a condition has at most {LONGEST} signs")
    python = _SIGNS.sub(lambda m: m[1] or (" and " if m[2] else " or " if m[3] else " not "), text.strip())
    try:
        tree = ast.parse(python.strip(), mode="eval")
    except SyntaxError as exc:
        raise ValueError(f"condition {text!r}: {exc.msg}") from None
    value = _value(tree.body, text)
    return lambda block: bool(value(block))


def _value(node: ast.expr, text: str) -> Callable[[Block], Any]:
    match node:
        case ast.Constant(value=str() | int() | float() | bool() as constant):
            return lambda _: constant
        case ast.Name(id=name) if name in NAMES:
            return NAMES[name]
        case ast.Name(id="true" | "false" as name):
            return lambda _: name == "true"
        case ast.List(elts=items):
            parts = [_value(item, text) for item in items]
            return lambda block: [part(block) for part in parts]
        case ast.BoolOp(op=ast.And(), values=both):
            conditions = [_value(each, text) for each in both]
            return lambda block: all(condition(block) for condition in conditions)
        case ast.BoolOp(values=both):
            conditions = [_value(each, text) for each in both]
            return lambda block: any(condition(block) for condition in conditions)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _value(operand, text)
            return lambda block: not inner(block)
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _COMPARE:
            first, compare, second = _value(left, text), _COMPARE[type(sign)], _value(right, text)
            return lambda block: compare(first(block), second(block))
        case ast.Call(
            func=ast.Attribute(value=owner, attr=name), args=[ast.Constant(value=str() as part)], keywords=[]
        ):
            return _method(owner, name, part, text)
    raise ValueError(f"condition {text!r}: {ast.unparse(node)} is not of the language")


def _method(owner: ast.expr, name: str, part: str, text: str) -> Callable[[Block], bool]:
    if name not in METHODS:
        raise ValueError(f"condition {text!r}: no method {name}; there are {', '.join(METHODS)}")
    if name == "matches":
        try:
            re.compile(part)
        except re.error as exc:
            raise ValueError(f"condition {text!r}: {exc}") from None
    of, method = _value(owner, text), METHODS[name]
    return lambda block: method(str(of(block)), part)
