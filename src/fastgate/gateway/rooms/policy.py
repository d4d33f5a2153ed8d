"""Policy: may this key ask for this model now? Owns the reading of model globs."""

from __future__ import annotations

from fnmatch import fnmatchcase

from fastgate.call import Call
from fastgate.errors import model_not_allowed


def allowed(model: str, globs: tuple[str, ...]) -> bool:
    """An empty list allows every model; matching is case-sensitive, as model ids are."""
    return not globs or any(fnmatchcase(model, glob) for glob in globs)


def admit(call: Call) -> None:
    assert call.principal is not None and call.request is not None
    if not allowed(call.request.model, call.principal.models):
        raise model_not_allowed(call.request.model, call.principal.models)
