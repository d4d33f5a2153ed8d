"""`${VAR}` in values of fastgate.yaml and directory.yaml. Knows nothing of YAML, so that workers may import it."""

from __future__ import annotations

import re
from collections.abc import Mapping

REF = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""One reference. Names are POSIX environment names."""


class RefError(ValueError):
    """A reference that cannot be resolved. The message names variables, never their values."""


def has_refs(value: str) -> bool:
    """Whether `value` is or contains a reference."""
    return "${" in value


def resolve_refs(value: str, environ: Mapping[str, str]) -> str:
    """`value` with each `${VAR}` replaced by that variable; what is put in is not looked at again.

    Raises RefError for a variable that is not set and for a `${` that does not begin a well-formed reference:
    passing on `${API-KEY}` as it stands would only fail later, at the provider.
    """
    if "${" not in value:
        return value
    if "${" in REF.sub("", value):
        raise RefError("a ${...} here does not name a variable; write ${NAME} with letters, digits and _")
    missing = sorted({name for name in REF.findall(value) if name not in environ})
    if missing:
        noun, verb = ("variable", "is") if len(missing) == 1 else ("variables", "are")
        raise RefError(f"environment {noun} {', '.join(missing)} {verb} not set")
    return REF.sub(lambda match: environ[match[1]], value)


class Secret:
    """A value that is never printed. `reference` is how the file wrote it (`${VAR}` kept), for storing on disk."""

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, reference: str | None = None) -> None:
        self._value = value
        self.reference = value if reference is None else reference

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._value, self.reference) == (other._value, other.reference)

    def __hash__(self) -> int:
        return hash((self._value, self.reference))

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not copied out of its process")
