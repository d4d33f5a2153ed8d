"""Each house rule catches what it is for, and leaves alone what only looks like it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.tidy import cython, rules
from tests.tidy.rules import Complaint

LONG = "\n".join(["    x = 1"] * 60)

BAD_PYTHON = [
    (rules.long_functions, f"def f():\n{LONG}\n"),
    (rules.names, "class CallManager: pass\n"),
    (rules.names, "def f(http_util): pass\n"),
    (rules.names, "import os as os_helper\n"),
    (rules.names, "self.stuff = 1\n"),
    (rules.names, "def process_data(): pass\n"),
    (rules.docstring, "x = 1\n"),
    (rules.blind_except, "try:\n    f()\nexcept Exception:\n    pass\n"),
    (rules.blind_except, "try:\n    f()\nexcept:\n    pass\n"),
    (rules.blind_except, "try:\n    f()\nexcept (ValueError, BaseException) as e:\n    log(e)\n"),
    (rules.float_money, "cost_nano: float = 0\n"),
    (rules.float_money, "def f(bound_nano: float | None): pass\n"),
    (rules.float_money, "def total_nano() -> float: return 1\n"),
    (rules.any_float, "x = 0.5\n"),
    (rules.any_float, "x = a / b\n"),
    (rules.any_float, "x = float(a)\n"),
    (rules.stray_clock, "now = time.monotonic_ns()\n"),
    (rules.stray_clock, "now = datetime.datetime.now(tz)\n"),
]

GOOD_PYTHON = [
    (rules.long_functions, "def f():\n    return 1\n"),
    (rules.names, "class Call: pass\nfrom email import utils\nutilisation = 1\n"),
    (rules.docstring, '"""Owns x."""\nx = 1\n'),
    (rules.blind_except, "try:\n    f()\nexcept BaseException:\n    undo()\n    raise\n"),
    (rules.blind_except, "try:\n    f()\nexcept ValueError:\n    pass\n"),
    (rules.float_money, "cost_nano: int = 0\nlatency_ms: float = 0.5\n"),
    (rules.any_float, "x = a // b\n"),
    (rules.stray_clock, "now = clock.mono_ns()\ntime.sleep(1)\n"),
]


@pytest.mark.parametrize(("rule", "source"), BAD_PYTHON)
def test_python_rule_catches(rule: Callable[[ast.Module], Iterator[Complaint]], source: str) -> None:
    assert list(rule(ast.parse(source)))


@pytest.mark.parametrize(("rule", "source"), GOOD_PYTHON)
def test_python_rule_leaves_alone(rule: Callable[[ast.Module], Iterator[Complaint]], source: str) -> None:
    assert not list(rule(ast.parse(source)))


BAD_TEXT = [
    (rules.text_rules, "# TO" + "DO: later"),
    (rules.text_rules, "open('/wo" + "rk/data')"),
    (rules.text_rules, "cd /ro" + "ot/x"),
    (rules.text_rules, "curl https://pypi" + ".org/simple"),
    (rules.text_rules, '"resolved": "https://registry.npmjs' + '.org/x"'),
    (rules.long_lines, "word " * 30),
    (cython.undeclared_exceptions, "cdef int f(int x):\n    return x\n"),
    (cython.undeclared_exceptions, "cdef inline const char* f(int x,\n        int y) nogil:\n    return x\n"),
    (cython.undeclared_exceptions, "cdef class A:\n    cpdef double f(self):\n        return 1\n"),
    (cython.undeclared_exceptions, "cdef struct Span:\n    int n\ncdef Span f():\n    pass\n"),
    (cython.long_functions, f"cdef int f() except -1:\n{LONG}\n"),
    (cython.names, "cdef class PoolManager:\n    pass\n"),
    (cython.names, "cdef int util(int x) noexcept:\n    return x\n"),
    (cython.foreign_imports, "from fastgate.errors import internal\n"),
    (cython.foreign_imports, "cimport fastgate.call\n"),
    (cython.floats, "cdef double x = 1\n"),
    (cython.floats, "x = 0.5\n"),
]

GOOD_TEXT = [
    (rules.text_rules, "the X" * 3 + " of work/root, at /v1/work and ~/work"),
    (rules.long_lines, "| " + "cell | " * 30),
    (cython.undeclared_exceptions, "cdef int f(int x) except -1:\n    return x\n"),
    (cython.undeclared_exceptions, "cdef void f(int x) noexcept nogil:\n    pass\n"),
    (cython.undeclared_exceptions, "cdef bytes f(int x):\n    return b'cdef int g():'\n"),
    (cython.undeclared_exceptions, "cdef Usage f(int x):\n    return x\n"),
    (cython.undeclared_exceptions, "cdef int x = f(1)\ncdef int (*callback)(int) noexcept\n# cdef int g():\n"),
    (cython.long_functions, f"def f():\n    pass\n\ncdef class A:\n{LONG}\n"),
    (cython.foreign_imports, "from fastgate._core.usage cimport Usage\n"),
    (cython.floats, "x = 1_000 // 2  # 0.5\n"),
]


def _judge(rule: Callable[..., Iterator[Complaint]], source: str) -> list[Complaint]:
    if rule is cython.undeclared_exceptions:
        return list(rule(source, cython.records(source)))
    return list(rule(source))


@pytest.mark.parametrize(("rule", "source"), BAD_TEXT)
def test_text_rule_catches(rule: Callable[..., Iterator[Complaint]], source: str) -> None:
    assert _judge(rule, source)


@pytest.mark.parametrize(("rule", "source"), GOOD_TEXT)
def test_text_rule_leaves_alone(rule: Callable[..., Iterator[Complaint]], source: str) -> None:
    assert not _judge(rule, source)


def test_functions_are_found_with_their_ends() -> None:
    source = (
        'cdef class A:\n    @staticmethod\n    def new(*, int x):\n        """Doc."""\n        return x\n\n    x = 1\n'
    )
    assert [(f.name, f.line, f.last_line) for f in cython.functions(source)] == [("new", 3, 5)]


def test_names_are_split_into_words() -> None:
    assert rules.split_name("HTTPBudgetManager_v2") == ["http", "budget", "manager", "v2"]
