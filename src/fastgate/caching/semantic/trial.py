"""Whether a model in files can be used, tried in a process of its own: it takes hundreds of megabytes for a moment.

`python -m fastgate.caching.semantic.trial PATH DIMENSIONS` says what is wrong with it, or nothing.
"""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from fastgate.caching.semantic.model_folder import ModelError, ModelFolder
from fastgate.caching.semantic.settings import compiled

if TYPE_CHECKING:
    from fastgate.caching.settings import CacheSettings

MODULE = "fastgate.caching.semantic.trial"

SECTION = "cache.semantic.embedder"
"""Where a configuration names the model."""

TRIAL_S = 60.0
"""A model of 23 MB is tried in a second; one of two gigabytes is read from a slow disk in that time."""


def wrong_with(cache: CacheSettings | None) -> str | None:
    """What is wrong with the embedder, where it is a model in files; None where nothing is."""
    policy = compiled(cache.semantic) if cache is not None else None
    if policy is None or policy.embedder.kind != "onnx":
        return None
    row = policy.embedder
    try:
        tried(row.model, row.dimensions, ModelFolder(row.model).identity)
    except ModelError as error:
        return str(error)
    return None


@lru_cache(4)
def tried(path: str, dim: int, identity: str) -> None:
    """Once for each `identity` that can be used. Raises ModelError, and then it is tried again when it is asked for
    again: what was wrong may have been the machine (its memory, a slow disk, a package), not the model."""
    argv = [sys.executable, "-P", "-m", MODULE, path, str(dim)]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        raise ModelError(f"the model at {path} could not be tried within {TRIAL_S:g} s") from None
    except OSError as error:
        raise ModelError(f"the model at {path} could not be tried: {error}") from None
    if done.returncode == 0:
        return
    told = done.stdout.decode(errors="replace").strip()
    last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    why = last or f"the process that tries it ends with {done.returncode}"
    raise ModelError(told or f"the model at {path} cannot be used: {why}")


def main() -> int:
    from fastgate.caching.semantic.embedder_onnx import Model

    try:
        Model(sys.argv[1], int(sys.argv[2])).try_longest()
    except ModelError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
