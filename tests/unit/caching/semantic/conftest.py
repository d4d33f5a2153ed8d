"""Tests of the semantic cache: collected where its extra is installed, as make does."""

from importlib.util import find_spec

if not (find_spec("hnswlib") and find_spec("wordllama")):
    collect_ignore_glob = ["test_*.py"]
