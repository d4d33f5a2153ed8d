"""onnxruntime, loaded so that it tells nobody. Whoever needs it gets it here.

From 1.29 on its builds for Linux send to their maker which models run where, keep an id of the machine under the home
directory, and have a thread for both, unless the environment says otherwise when they are loaded (its Privacy.md).
"""

from __future__ import annotations

import importlib
import os
from typing import Any

SILENT = "ORT_DISABLE_TELEMETRY"


def runtime() -> Any:
    """The module. Raises ImportError where it is not installed."""
    os.environ[SILENT] = "1"
    return importlib.import_module("onnxruntime")


def errors() -> tuple[type[Exception], ...]:
    """What it raises of files and arrays: classes of its own that have nothing in common, and a few of Python's."""
    native = vars(runtime().capi.onnxruntime_pybind11_state).values()
    own = [each for each in native if isinstance(each, type) and issubclass(each, Exception)]
    return (*own, OSError, RuntimeError, ValueError)
