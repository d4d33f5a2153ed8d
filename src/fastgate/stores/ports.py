"""What the gateway needs of a store of its directory: the shapes that cross, and the operations.

Knows no database. Money and times are integers: UTC nanoseconds, where 0 means never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from fastgate.asking import Asked
from fastgate.directory import Directory, Rates
from fastgate.directory_budgets import Budget
from fastgate.snapshot import BudgetLevel, BudgetRow, PauseRow, RateRow
from fastgate.stores.errors import StoreError as StoreError  # noqa: PLC0414  # the data plane takes it from there

Origin = Literal["declared", "managed"]
"""declared: comes from directory.yaml and changes there. managed: made through the command line or the API."""

Action = Literal[
    "create",
    "update",
    "remove",
    "rotate",
    "revoke",
    "request",
    "approve",
    "deny",
    "end",
    "test",
    "retry",
    "reap",
    "purge",
]
SubjectKind = Literal[
    "org", "cost_center", "team", "user", "key", "budget", "increase", "pause", "alert", "worker", "cache"
]


class Change(msgspec.Struct, frozen=True):
    """One audited change. `before` and `after` hold the fields that differ (all of them on create and remove); neither
    holds a secret or its digest."""

    action: Action
    kind: SubjectKind
    id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ChangeEvent(msgspec.Struct, frozen=True):
    """A change as the log keeps it."""

    seq: int
    at_ns: int
    actor: str
    change: Change


class SecretView(msgspec.Struct, frozen=True):
    """One secret of a key, without the secret. `hint` is how an issued one begins; empty for declared ones."""

    hint: str
    created_ns: int
    not_after_ns: int


class KeyView(msgspec.Struct, frozen=True):
    """A key as people see it. `user` is empty for a service key; `cost_center` is the one that applies."""

    id: str
    user: str
    team: str
    org: str
    cost_center: str
    tags: dict[str, str]
    models: list[str]
    open_tags: list[str]
    cache_overrides: bool
    expires_ns: int
    created_ns: int
    revoked_ns: int
    origin: Origin
    state: Literal["active", "expired", "revoked"]
    secrets: list[SecretView]
    rates: Rates = Rates()
    """Its own limits; what is None is as `limits` of the configuration has it."""


class KeyIssued(msgspec.Struct, frozen=True):
    """A key with its new secret, which is shown this once and kept nowhere."""

    key: KeyView
    secret: str

    def __repr__(self) -> str:
        return f"KeyIssued({self.key.id!r}, ***)"


class KeyDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a new managed key is to be. Exactly one of `user` and `team`; an empty `id` gets one made."""

    id: str = ""
    user: str | None = None
    team: str | None = None
    tags: Mapping[str, str] = {}
    models: Sequence[str] = ()
    open_tags: Sequence[str] = ()
    cache_overrides: bool = True
    expires_ns: int = 0
    cost_center: str | None = None
    rates: Rates = Rates()


class SecretRow(msgspec.Struct, frozen=True, array_like=True):
    """One stored secret with everything that the snapshot says of its key."""

    digest: bytes
    key: str
    user: str
    team: str
    org: str
    cost_center: str
    tags: dict[str, str]
    models: list[str]
    open_tags: list[str]
    """Those of the key and of its team."""
    not_after_ns: int
    """End of this secret, in a rotation."""
    expires_ns: int
    """End of the key."""
    revoked_ns: int
    cache_overrides: bool


class DirectoryRows(msgspec.Struct, frozen=True):
    """All that the compiler needs, read in one transaction."""

    revision: int
    secrets: list[SecretRow]
    budgets: Sequence[BudgetRow] = ()
    """With every approved increase, the ended ones too."""
    pauses: Sequence[PauseRow] = ()
    rates: Sequence[RateRow] = ()
    owners: Mapping[str, str] = {}
    """Of the cost centres that have one."""


IncreaseState = Literal["requested", "approved", "denied", "ended"]


class BudgetView(msgspec.Struct, frozen=True):
    """A budget as people see it; `row.increases` are the approved ones, the ended ones too."""

    row: BudgetRow
    origin: Origin


class IncreaseView(msgspec.Struct, frozen=True):
    """A temporary increase of one budget. `decided_by` is who approved or denied it, or ended it early."""

    id: str
    budget: str
    amount_nano: int
    not_after_ns: int
    reason: str
    state: IncreaseState
    requested_by: str
    requested_ns: int
    decided_by: str
    decided_ns: int
    cell: str = ""
    """The member or tag value whose cell alone it raises; empty raises each."""
    key_id: str = ""
    """With which a developer asked for it; empty where the asker came through the control plane."""


class IncreaseDraft(msgspec.Struct, frozen=True):
    """What is asked for."""

    budget: str
    amount_nano: int
    not_after_ns: int
    reason: str
    cell: str = ""


class BudgetStore(Protocol):
    """Operations on budgets, increases and pauses. Each is one transaction; each change is logged in it."""

    def put(self, budget: Budget, actor: str, dry_run: bool = False) -> tuple[BudgetView, list[Change]]:
        """Make or change a managed budget. Raises StoreError(conflict) for another selector, period or zone."""
        ...

    def page(self, after: str = "", limit: int = 100) -> tuple[list[BudgetView], str | None]:
        """Budgets by id, and what to pass as `after` for the next page (None: no more)."""
        ...

    def show(self, budget_id: str) -> BudgetView: ...

    def remove(self, budget_id: str, actor: str) -> BudgetView:
        """With its increases. What was spent stays recorded."""
        ...

    def request(self, draft: IncreaseDraft, actor: str, approve: bool) -> IncreaseView: ...

    def take(self, asked: Asked) -> IncreaseView | None:
        """Take in what a developer asked for, once however often it is told: what stands under its id. None, and
        logged, where its budget is gone or was made anew."""
        ...

    def stand(self, ids: Sequence[str]) -> Mapping[str, IncreaseView]:
        """How these increases stand; those that went with their budget are absent."""
        ...

    def decide(self, increase_id: str, verdict: Literal["approve", "deny", "end"], actor: str) -> IncreaseView: ...

    def increases(
        self, budget_id: str = "", after: str = "", limit: int = 100, state: str = ""
    ) -> tuple[Sequence[IncreaseView], str | None]: ...

    def pause(self, level: BudgetLevel, of: str, org: str, reason: str, until_ns: int, actor: str) -> PauseRow: ...

    def resume(self, level: BudgetLevel, of: str, org: str, actor: str) -> PauseRow: ...

    def pauses(self) -> Sequence[PauseRow]: ...


class DirectoryStore(Protocol):
    """Operations on the directory. Each is one transaction; each change is logged in it."""

    def apply_directory(
        self, directory: Directory, actor: str, dry_run: bool = False, *, noted: bytes = b""
    ) -> list[Change]:
        """Make the declared rows equal to `directory`, leaving managed rows alone, and keep `noted` unless it is empty.
        Raises StoreError(conflict)."""
        ...

    def keep_noted(self, noted: bytes) -> None:
        """The same without a directory, whose rows stay as they are."""
        ...

    def noted(self) -> bytes:
        """What was kept last; empty if nothing was."""
        ...

    def keys_create(self, draft: KeyDraft, actor: str) -> KeyIssued: ...

    def keys_list(self, after: str = "", limit: int = 100) -> tuple[list[KeyView], str | None]:
        """Keys by id, and what to pass as `after` for the next page (None: no more)."""
        ...

    def keys_show(self, key_id: str) -> KeyView: ...

    def keys_rotate(self, key_id: str, overlap_s: int, actor: str) -> KeyIssued:
        """A new secret; those before it end after `overlap_s`."""
        ...

    def keys_revoke(self, key_id: str, actor: str) -> KeyView: ...

    @property
    def budgets(self) -> BudgetStore: ...

    def revision(self) -> int:
        """Grows with every change."""
        ...

    def rows(self) -> DirectoryRows: ...

    def changes(self, after: int = 0, limit: int = 100) -> list[ChangeEvent]: ...

    def note(self, change: Change, actor: str) -> None:
        """Log something that was done and changes no row."""
        ...

    def close(self) -> None: ...
