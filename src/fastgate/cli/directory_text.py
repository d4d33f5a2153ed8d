"""A directory.yaml as it is sent to the control plane: variables of this shell filled in, secrets as their digests.

So `${ALICE_KEY}` means what it means where the command is typed, and no secret crosses to another process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import yaml

from fastgate.directory import Directory, load_directory, secret_sha256
from fastgate.refs import Secret


def resolved(path: Path) -> bytes:
    """The file's content with nothing left to look up. Raises ConfigErrors."""
    directory, _ = load_directory(path, os.environ)
    return yaml.safe_dump(plain(directory), allow_unicode=True, sort_keys=False).encode()


def plain(directory: Directory) -> dict[str, Any]:
    """The directory as YAML's own types; what has its default is left out."""
    content: dict[str, Any] = {}
    for section in Directory.__struct_fields__:
        content[section] = [_item(item) for item in getattr(directory, section)]
    for key, item in zip(directory.keys, content["keys"], strict=True):
        item["secret_sha256"] = secret_sha256(key)
    return content


def _item(item: msgspec.Struct) -> dict[str, Any]:
    given = {name: value for name, value in msgspec.structs.asdict(item).items() if value not in (None, "", (), {})}
    return {
        name: list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, dict) else value
        for name, value in given.items()
        if not isinstance(value, Secret)
    }
