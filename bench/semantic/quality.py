"""True and false hits of every rule on every set, with Wilson's interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.section import Goal, Section
from bench.semantic import published, traces
from bench.semantic.model import Named
from bench.semantic.pair import Pair
from bench.semantic.rules import EMBEDDER, PEERS, Fastgate, Rule, last, near
from fastgate.caching.semantic.calibration import wilson

FALSE_GOAL, REPEATED_GOAL, REWORDED_GOAL = 0.005, 0.99, 0.35


@dataclass(frozen=True)
class Share:
    """`hits` of `of`."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        return self.hits / self.of if self.of else 0.0

    def __str__(self) -> str:
        low, high = wilson(self.hits, self.of)
        return f"{self.value:.1%} ({low:.1%} to {high:.1%})"


SETS: dict[str, Callable[[], Iterable[Pair]]] = {
    "traces": traces.pairs,
    "questions": published.questions,
    "conversations": published.conversations,
}


Found = dict[str, dict[str, dict[str, Share]]]
"""Rule, set and kind (`same`, `other`, and each of the set's own) to the share that was answered."""


@dataclass
class Scale:
    """What agreement alone lets through, at any similarity: the least of a right answer, and the wrong ones."""

    least: float = 1.0
    wrong: int = 0

    def take(self, served: Iterable[tuple[float, bool]]) -> None:
        for similarity, right in served:
            self.least = min(self.least, similarity) if right else self.least
            self.wrong += not right


def measure(model: Named) -> tuple[Found, dict[str, Scale]]:
    """Shares by rule, and scales by embedding."""
    found: Found = {}
    scales = {STATIC_TITLE: Scale(), model.title: Scale()}
    for name, source in SETS.items():
        pairs = list(source())
        for title, embedding in ((STATIC_TITLE, EMBEDDER), (model.title, model.embedding)):
            rule = Fastgate(pairs, embedding, threshold=0.0)
            for pair in pairs:
                rule(pair)
            scales[title].take(rule.served)
        rules: dict[str, Rule] = {
            Fastgate.name: Fastgate(pairs),
            f"{Fastgate.name}, {model.title}": Fastgate(pairs, model.embedding),
            **PEERS,
            f"last message, 0.80, {model.title}": near(last, 0.80, model.embedding),
        }
        for title, rule in rules.items():
            answered = [rule(pair) for pair in pairs]
            found.setdefault(title, {})[name] = shares(pairs, answered)
    return found, scales


STATIC_TITLE = "the static embedding"


def shares(pairs: list[Pair], answered: list[bool]) -> dict[str, Share]:
    groups: dict[str, list[bool]] = {}
    for pair, hit in zip(pairs, answered, strict=True):
        half = f", {pair.tags['half']}" if "half" in pair.tags else ""
        side = "same" if pair.same else "other"
        for name in dict.fromkeys((side, side + half, pair.kind + half)):
            groups.setdefault(name, []).append(hit)
    return {name: Share(sum(hits), len(hits)) for name, hits in groups.items()}


def section(found: Found, scales: dict[str, Scale], model: Named) -> Section:
    rows = []
    for rule, sets in found.items():
        made, asked, talked = sets["traces"], sets["questions"], sets["conversations"]
        rows.append(
            [
                rule,
                str(made["repeat"]),
                str(made["reworded"]),
                f"**{made['other']}**",
                str(asked["same"]),
                f"**{asked['other']}**",
                str(talked["same"]),
                f"**{talked['other']}**",
            ]
        )
    ours, theirs = found[Fastgate.name], found[f"{Fastgate.name}, {model.title}"]
    false = Share(*(sum(getattr(each["other"], name) for each in theirs.values()) for name in ("hits", "of")))
    made, asked, talked = ours["traces"], ours["questions"], ours["conversations"]
    near = made["other"]
    wrong = Share(*(sum(getattr(each["other"], name) for each in ours.values()) for name in ("hits", "of")))
    goals = [
        Goal(f"false hits on near misses of agent traces: {near} (<= 0.5 %)", near.value <= FALSE_GOAL),
        Goal(f"false hits on all {wrong.of:,} pairs that must not hit: {wrong} (<= 0.5 %)", wrong.value <= FALSE_GOAL),
        Goal(f"the same with {model.title}: {false} (<= 0.5 %)", false.value <= FALSE_GOAL),
        Goal(f"word for word repeats answered: {made['repeat']} (>= 99 %)", made["repeat"].value >= REPEATED_GOAL),
        Goal(f"rewordings in agent traces: {made['reworded']} (>= 35 %)", made["reworded"].value >= REWORDED_GOAL),
    ]
    told = f"{about(ours)} {about_model(scales, model)}"
    return Section("Semantic cache: right and wrong answers", told, COLUMNS, rows, goals)


COLUMNS = (
    "rule", "traces: repeated", "traces: reworded", "traces: **wrong**", "questions: same", "questions: **wrong**",
    "conversations: same", "conversations: **wrong**",
)  # fmt: skip


def about(ours: dict[str, dict[str, Share]]) -> str:
    made, asked = ours["traces"], ours["questions"]
    return (
        "Pairs of requests of which it is known whether one answer serves both. *Traces* are generated from a seed: "
        f"{made['repeat'].of} repeats, {made['reworded'].of} rewordings, {made['other'].of:,} near misses that differ "
        "by one number, name, path, quotation, denial, verb, by two names swapped, or only by what stands around "
        "the same text. *Questions* (600) and *conversations* (240) are those of fow-cache (CC BY 4.0, Mabon ap "
        "Gwyn), written for support chats. All rules use the same static embedding where none is named; theirs are "
        "asked about each pair alone, ours finds in one index of all first requests, with tool results and many turns "
        "allowed. Shares with Wilson's interval (95 %). Our word lists were written with half of the questions in "
        "sight, and by the hand that wrote "
        f"the traces. On the half that was held out {asked['same, held out']} of those with the same answer are served "
        f"({asked['paraphrase, held out']} of paraphrases) and {asked['other, held out']} of the traps; on the half "
        f"that was seen {asked['same, seen']} and {asked['other, seen']}. No conversation hits, since no other turn "
        "may differ. fow-cache's own rule asks a language model about every hit, and is not run; recalq-guard's are "
        "the package's."
    )


def about_model(scales: dict[str, Scale], model: Named) -> str:
    """Where the threshold comes from, and what the model costs."""
    told = "; ".join(
        f"with {title} {scale.wrong} wrong ones, and the least similar right one has {scale.least:.3f}"
        for title, scale in scales.items()
    )
    return (
        f"{model.title} is a model in files (`embedder.kind: onnx`): {model.ms:.1f} ms of processor time a text, "
        f"{model.texts:,} texts. Agreement alone, at any similarity, lets through: {told}. The threshold, 0.75, "
        "loses next to none of these."
    )
