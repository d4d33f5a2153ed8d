#!/bin/sh
# Resolves everything the project needs to the newest versions that its lower bounds allow, in an environment of its
# own, and writes them to requirements/constraints.txt. Run the tests before committing the result.
set -eu

cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$(scripts/preflight.sh "${1:-}")" -m venv "$scratch/venv"
python=$scratch/venv/bin/python
"$python" scripts/requirements.py build run semantic onnx test > "$scratch/wanted.txt"
"$python" -m pip --disable-pip-version-check install -q -r "$scratch/wanted.txt"
{
    echo "# The exact versions that make installs; scripts/lock.sh writes them. pyproject.toml holds the bounds."
    "$python" -m pip --disable-pip-version-check freeze --all | grep -v '^pip=='
} > "$scratch/constraints.txt"
cp "$scratch/constraints.txt" requirements/constraints.txt
