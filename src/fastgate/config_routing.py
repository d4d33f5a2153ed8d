"""The `routing` section of fastgate.yaml: which cheaper model a call may get, and why. Shapes and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import msgspec

LATER: Mapping[str, str] = {
    "strategy": "routing strategies",
    "rules": "routing rules",
    "prefer": "routing by price",
}

MODEL = msgspec.Meta(min_length=1, max_length=256)


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """Which cheaper model a call may get, and why."""

    LATER: ClassVar[Mapping[str, str]] = LATER

    cascade: Annotated[tuple[Annotated[str, MODEL], ...], msgspec.Meta(max_length=32)] = (
        "claude-opus-*",
        "claude-sonnet-*",
        "claude-haiku-*",
    )
    """Models from the dearest on, ids or globs. A call that has to become cheaper goes to the next one down that its
    key may use; for a glob that is the newest listed model which fits it."""
    cascade_on: tuple[Literal["budget"], ...] = ("budget",)
    """What makes a call go down the cascade: `budget` is a budget's downgrade stage, or a ceiling under which the call
    as asked does not fit any more. Empty: no model is ever changed."""
