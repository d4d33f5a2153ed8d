"""Where PROMISES.md says that a test runs: by its own marks, its module's and its rows'."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from scripts import promises

ROWS = """
    import pytest
    pytestmark = pytest.mark.faults
    ROWS = [1, pytest.param(500, marks={marks})]

    @pytest.mark.parametrize("count", ROWS)
    def test_it(count): ...
"""

FORMS = {
    "nothing": ("def test_it(): ...", "test"),
    "a short fault": ("import pytest\n@pytest.mark.faults\ndef test_it(): ...", "test"),
    "a long fault": ("@pytest.mark.faults\n@pytest.mark.slow\ndef test_it(): ...", "faults"),
    "by its module": ("pytestmark = [pytest.mark.faults, pytest.mark.slow]\ndef test_it(): ...", "faults"),
    "a soak": ("@pytest.mark.soak\n@pytest.mark.slow\ndef test_it(): ...", "soak"),
    "a long row": (ROWS.format(marks="pytest.mark.slow"), "test; in full: faults"),
    "long rows by a field": (ROWS.format(marks="[pytest.mark.slow] * 1"), "test; in full: faults"),
    "a row to soak": (ROWS.format(marks="[pytest.mark.slow, pytest.mark.soak]"), "test; in full: soak"),
    "a row that is short too": (ROWS.format(marks="pytest.mark.xfail"), "test"),
}


@pytest.mark.parametrize("form", FORMS)
def test_suite(form: str) -> None:
    source, wanted = FORMS[form]
    assert suite(source) == wanted


def test_a_long_form_that_nothing_runs_is_refused() -> None:
    with pytest.raises(SystemExit, match="in neither make faults nor make soak"):
        suite("@pytest.mark.slow\ndef test_it(): ...")


def suite(source: str) -> str:
    module = ast.parse(dedent(source))
    (test,) = (node for node in module.body if isinstance(node, ast.FunctionDef))
    return promises.suite(test, module, "test_it")
