"""Prints requirement lines of pyproject.toml, so that they are written once: `requirements.py build run test`."""

import sys
import tomllib
from pathlib import Path


def lines(group: str, project: dict) -> list[str]:
    if group == "build":
        return project["build-system"]["requires"]
    if group == "run":
        return project["project"]["dependencies"]
    return project["project"]["optional-dependencies"][group]


if __name__ == "__main__":
    pyproject = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    print("\n".join(line for group in sys.argv[1:] for line in lines(group, pyproject)))
