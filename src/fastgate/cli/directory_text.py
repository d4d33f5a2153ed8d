"""A directory.yaml as it is sent to the control plane: variables of this shell filled in, secrets as their digests.

So `${ALICE_KEY}` means what it means where the command is typed, and no secret crosses to another process.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import yaml

from fastgate.directory import Directory, load_directory, secret_sha256
from fastgate.directory_proposal import proposed_budgets
from fastgate.refs import Secret


def resolved(path: Path) -> bytes:
    """The file's content with nothing left to look up. Raises ConfigErrors."""
    directory, _ = load_directory(path, os.environ)
    return yaml.safe_dump(plain(directory), allow_unicode=True, sort_keys=False).encode()


def resolved_budgets(path: Path) -> bytes:
    """The proposed budgets of a file, the same way. Raises ConfigErrors."""
    budgets = proposed_budgets(path.read_bytes(), os.environ, str(path))
    content = {"budgets": [_item(budget) for budget in budgets]}
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode()


def plain(directory: Directory) -> dict[str, Any]:
    """The directory as YAML's own types; what has its default is left out."""
    content: dict[str, Any] = {}
    for section in Directory.__struct_fields__:
        content[section] = [_item(item) for item in getattr(directory, section)]
    for key, item in zip(directory.keys, content["keys"], strict=True):
        item["secret_sha256"] = secret_sha256(key)
    return content


def _item(item: msgspec.Struct) -> dict[str, Any]:
    given = {}
    for field in msgspec.structs.fields(item):
        value = getattr(item, field.name)
        if isinstance(value, Secret) or (not field.required and value == field.default):
            continue
        given[field.name] = _plain(value)
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return _item(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return str(value)
    return dict(value) if isinstance(value, dict) else value
