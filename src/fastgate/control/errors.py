"""Why an operation of the control plane is not carried out, as data. Nothing has changed when one is raised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from fastgate.control import shapes
from fastgate.stores.ports import StoreError
from fastgate.times import parse_moment
from fastgate.tree import ConfigErrors
from fastgate.tree import Problem as FileProblem

ErrorKind = Literal["invalid", "not_found", "conflict", "unusable"]

SHOWN_PROBLEMS = 3
"""How many problems the message itself repeats; all of them are listed beside it."""

_STORE_KINDS: Mapping[str, ErrorKind] = {
    "not_found": "not_found",
    "conflict": "conflict",
    "refused": "invalid",
    "unusable": "unusable",
}


class OperationError(Exception):
    """An operation that was refused. `problems` are the mistakes of a file."""

    def __init__(self, kind: ErrorKind, message: str, problems: list[shapes.Problem] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.problems = problems or []


def of_store(error: StoreError) -> OperationError:
    return OperationError(_STORE_KINDS[error.kind], f"{error}.")


def of_file(message: str, errors: ConfigErrors) -> OperationError:
    """`message` and every mistake."""
    lines = "; ".join(str(problem) for problem in errors.problems[:SHOWN_PROBLEMS])
    rest = len(errors.problems) - SHOWN_PROBLEMS
    more = f"; and {rest} more" if rest > 0 else ""
    problems = [problem_of(problem) for problem in errors.problems]
    return OperationError("invalid", f"{message}: {lines}{more}", problems)


def problem_of(problem: FileProblem) -> shapes.Problem:
    return shapes.Problem(problem.file, problem.line, problem.path, problem.message)


def moment(name: str, text: str) -> int:
    """A moment in the argument `name`, as nanoseconds."""
    try:
        return parse_moment(text)
    except ValueError as error:
        raise OperationError("invalid", f"{name}: {error}.") from None
