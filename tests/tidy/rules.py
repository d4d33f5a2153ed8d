"""Rules for Python source and for any text. Each returns complaints as (line, what is wrong); none reads a file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

Complaint = tuple[int, str]

MAX_COLUMNS = 120
MAX_FUNCTION_LINES = 60

BANNED_WORDS = frozenset({"manager", "helper", "helpers", "util", "utils", "misc", "stuff", "handler2", "v2", "v3"})
"""They name no thing of the field. A class called Manager says that nobody knew what it is."""

BANNED_NAMES = frozenset({"process_data", "do_it", "handle_stuff"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*|\d+")
_POSTPONED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
_MACHINE_PATH = re.compile(r"(?<![\w.~-])(/(?:work|root|workspace)/[\w.]|/tmp/f[g]\b)")
_REGISTRY = re.compile(
    r"\b("
    + "|".join(
        rf"{host}\.{top}"
        for host, top in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("npmjs", "com"),
            ("yarnpkg", "com"),
            ("debian", "org"),
            ("ubuntu", "com"),
            ("proxy.golang", "org"),
        )
    )
    + r")\b"
)
_MONEY_UNIT = re.compile(r"_(nano|pico|ppm)$")


def split_name(name: str) -> list[str]:
    """`HTTPBudgetManager_v2` -> http, budget, manager, v2."""
    return [word.lower() for word in _WORD.findall(name.replace("_", " "))]


def name_complaint(name: str) -> str | None:
    if name.lower() in BANNED_NAMES or BANNED_WORDS.intersection(split_name(name)):
        return f"the name {name} says nothing; use the field's own word"
    return None


def text_rules(source: str) -> Iterator[Complaint]:
    """What no file of the project may hold."""
    for number, line in enumerate(source.splitlines(), 1):
        if found := _POSTPONED.search(line):
            yield number, f"{found[0]}: work that is put off belongs into an issue"
        if found := _MACHINE_PATH.search(line):
            yield number, f"a path of one machine: {found[0]}"
        if found := _REGISTRY.search(line):
            yield number, f"a registry's host: {found[0]}; use what the client is configured for"


def long_lines(source: str) -> Iterator[Complaint]:
    """Lines over MAX_COLUMNS, but for what cannot be broken: table rows, links and long single words."""
    for number, line in enumerate(source.splitlines(), 1):
        breakable = not line.startswith(("|", "[![")) and "](" not in line and "://" not in line
        if len(line) > MAX_COLUMNS and breakable and " " in line.strip()[:MAX_COLUMNS]:
            yield number, f"{len(line)} columns"


def long_functions(tree: ast.Module) -> Iterator[Complaint]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines"


def _defined_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str() as given):
                yield node.lineno, given


def names(tree: ast.Module) -> Iterator[Complaint]:
    for line, name in _defined_names(tree):
        if complaint := name_complaint(name):
            yield line, complaint


def docstring(tree: ast.Module) -> Iterator[Complaint]:
    if ast.get_docstring(tree) is None:
        yield 1, "a file opens with what it owns"


def _reraises(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def blind_except(tree: ast.Module) -> Iterator[Complaint]:
    """`except Exception` that swallows. One that cleans up and raises again is fine anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = [n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)] if node.type else [""]
            if {"", "Exception", "BaseException"}.intersection(caught) and not _reraises(node):
                yield node.lineno, "an error is handled where its source is known: name the exceptions"


def float_money(tree: ast.Module) -> Iterator[Complaint]:
    """Anything named in nano- or pico-dollars or ppm that is annotated, or computed, as a float."""
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind):
                pass
            case ast.arg(arg=name, annotation=ast.expr() as kind):
                pass
            case ast.FunctionDef(name=name, returns=ast.expr() as kind):
                pass
            case _:
                continue
        if _MONEY_UNIT.search(name) and "float" in ast.unparse(kind):
            yield node.lineno, f"{name} is money and a float"


def any_float(tree: ast.Module) -> Iterator[Complaint]:
    """For the files that own money: no float literal, no `float`, no true division."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float()):
                yield node.lineno, "a float literal"
            case ast.Name(id="float"):
                yield node.lineno, "float"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node.lineno, "a true division"


def stray_clock(tree: ast.Module) -> Iterator[Complaint]:
    """Reads of a clock outside clock.py: a test could not move them."""
    reads = {"time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "datetime.now", "datetime.utcnow"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("datetime.") in reads:
            yield node.lineno, f"{ast.unparse(node.func)}: read fastgate.clock"
