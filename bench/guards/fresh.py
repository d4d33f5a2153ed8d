"""Corpora that came last: no rule had been written when they were first judged, and then half of each was read.

hermes-jailbench and bastionprobe (MIT), weiseer-prompt-redteam (Apache-2.0). Their halves are cut
as those of corpora.py are. And two of which nothing was read, by anybody or any fit: fas-judgement and
nullsec-promptinject (MIT). Of aicu-scanner (MIT), which came after all of these, half was read. `bench/guards/peers.sh`
installs them.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench.guards.sample import Sample, is_unread, lines_of

HERMES = {
    "IDENTITY_OVERRIDE": "jailbreak",
    "FRAMING_BYPASS": "jailbreak",
    "SOCIAL_ENGINEERING": "jailbreak",
    "META_REASONING": "jailbreak",
    "ENCODING_BYPASS": "jailbreak",
    "MULTILINGUAL": "jailbreak",
    "PROMPT_EXTRACTION": "extraction",
    "INJECTION": "injection",
}
WEISEER = {
    "direct_override": "injection",
    "roleplay": "jailbreak",
    "encoding": "jailbreak",
    "prompt_extraction": "extraction",
    "tool_injection": "injection",
    "multilingual": "injection",
    "format_injection": "injection",
    "dual_persona": "jailbreak",
    "hypothetical": "jailbreak",
    "indirect_injection": "indirect",
}
"""Its other kinds (confusion, distraction, tokenization, meta) are about formats, not about orders in words."""


def fresh(site: Path) -> Iterator[Sample]:
    """All of them, by the families that their own labels say."""
    yield from _hermes(site / "hermes_jailbench/attacks.py")
    path = site / "weiseer_prompt_redteam/attacks.yaml"
    for row in yaml.safe_load(path.read_text())["attacks"] if path.exists() else ():
        if family := WEISEER.get(row["category"]):
            yield Sample("weiseer", family, str(row["payload"]), str(row["payload"]))
    for row in lines_of(site / "bastionprobe/payloads.jsonl"):
        if row["category"] == "indirect_injection":
            yield Sample("bastionprobe", "indirect", row["text"], row["text"])


def _calls(path: Path, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())) if path.exists() else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def _hermes(path: Path) -> Iterator[Sample]:
    for call in _calls(path, "Attack"):
        said = {word.arg: word.value for word in call.keywords}
        kind, template = said.get("category"), said.get("template")
        if isinstance(kind, ast.Attribute) and template is not None:
            text = str(ast.literal_eval(template)).strip()
            yield Sample("hermes-jailbench", HERMES[kind.attr], text, text)


FAS = {"jailbreak": "jailbreak", "sys_prompt_extract": "extraction", "indirect_injection": "indirect"}
NULLSEC = {"extraction": "extraction", "override": "injection", "jailbreak": "jailbreak", "indirect": "indirect"}
"""Their other kinds are requests, encodings and calls of tools."""


def untouched(python: Path) -> Iterator[Sample]:
    """All of two corpora of which nothing was read, and that half of a third."""
    site = next((python.parent.parent / "lib").glob("python3*/site-packages"))
    path = site / "fas_judgement/modules/ai_security/patterns/data/single-shot/patterns.json"
    for row in json.loads(path.read_text()) if path.exists() else ():
        if family := FAS.get(row["category"]):
            yield Sample("fas-judgement", family, row["text"], row["text"])
    for call in _calls(site / "nullsec_promptinject/payloads.py", "Payload"):
        match call.args:
            case [ast.Constant(value=str() as text), ast.Constant(value=str() as category), *_] if category in NULLSEC:
                yield Sample("nullsec-promptinject", NULLSEC[category], text, text)
    path = site / "aicu/generators/indirect_injection_gen.py"
    for node in ast.walk(ast.parse(path.read_text())) if path.exists() else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INJECTION_PAYLOADS":
            texts = [str(row["text"]) for row in ast.literal_eval(node.value)]
            yield from (Sample("aicu-scanner", "indirect", text, text) for text in texts if is_unread(text))
