"""The one error of every store."""

from __future__ import annotations

from typing import Literal


class StoreError(Exception):
    """An operation that a store refuses."""

    def __init__(self, kind: Literal["not_found", "conflict", "refused", "unusable"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
