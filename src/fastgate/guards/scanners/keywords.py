"""Words and topics that a deployment does not want to see: its own lists, and topics that come with fastgate."""

from __future__ import annotations

import re

import msgspec

from fastgate.guards.rule import KINDS, Rule, Scanner

TOPICS: dict[str, tuple[str, ...]] = {
    "gambling": (
        "online casino",
        "sports betting",
        "slot machine",
        "blackjack strategy",
        "roulette system",
        "poker odds",
    ),
    "weapons": ("ghost gun", "3d printed gun", "silencer build", "ammunition reloading", "assault rifle", "pipe bomb"),
    "drugs": ("cook meth", "buy cocaine", "fentanyl press", "grow cannabis", "darknet market", "mdma synthesis"),
    "medical-advice": (
        "diagnose my",
        "what dose should i take",
        "prescribe me",
        "is this mole cancer",
        "stop taking my medication",
    ),
    "legal-advice": ("am i liable", "should i sue", "represent me in court", "draft my will", "is it legal for me to"),
    "financial-advice": ("which stock should i buy", "guaranteed returns", "should i invest my savings", "crypto tip"),
    "politics": ("vote for", "election fraud", "political party should", "who should i vote"),
    "religion": ("convert to islam", "convert to christianity", "which religion is true", "god is dead"),
    "dating": ("tinder profile", "pick-up line", "dating profile", "hook up with"),
}
"""Phrases that a conversation about the topic almost always has; work on code has them in test data at most."""

MAX_WORDS = 5_000


class Keywords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scanner `keywords`."""

    words: tuple[str, ...] = ()
    """Words or phrases; letters' case does not matter, they are found as whole words."""
    topics: tuple[str, ...] = ()
    """Topics that come with fastgate: gambling, weapons, drugs, medical-advice, legal-advice, financial-advice,
    politics, religion, dating."""


def words_rule(name: str, title: str, listed: tuple[str, ...]) -> Rule:
    """One rule for a list of phrases, found as whole words with any blanks between them."""
    parts = sorted(
        {r"\s{1,4}".join(re.escape(word).replace(r"\-", "-") for word in phrase.split()) for phrase in listed}
    )
    either = "(?:" + "|".join(parts) + ")"
    return Rule(
        id=name,
        title=title,
        pattern=either,
        exact=rf"(?<![\w]){either}(?![\w])",
        caseless=True,
        before=224,
        after=32,
        kinds=frozenset(KINDS),
        severity="medium",
        samples=(f"about {listed[0]}, please", listed[-1].upper()),
        clean=(f"x{listed[0]}x",),
    )


def make(settings: Keywords) -> tuple[Rule, ...]:
    """A rule for the list and one for each topic. ValueError for an unknown topic, an empty word or too many."""
    if unknown := sorted(set(settings.topics) - set(TOPICS)):
        raise ValueError(f"keywords: no topic {unknown[0]!r}; there are {', '.join(sorted(TOPICS))}")
    if len(settings.words) > MAX_WORDS or any(len(word.strip()) < 2 for word in settings.words):
        raise ValueError(f"keywords: words have two signs at least, and there are at most {MAX_WORDS}")
    rules = [words_rule(f"topic-{topic}", f"the topic {topic}", TOPICS[topic]) for topic in settings.topics]
    if settings.words:
        rules.append(words_rule("keyword", "a word on the deployment's list", settings.words))
    return tuple(rules)


SCANNER = Scanner(
    name="keywords",
    title="Words and topics",
    rules=make(Keywords(topics=tuple(TOPICS))),
    settings=Keywords,
    make=make,
)
