"""A call as a question to the semantic cache: its text, and the partition that everything else of it makes.

Which calls may be one: those without results of tools and with one turn of the user, where no rule says otherwise. The
answer to any other depends on a state of things that no text shows.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fastgate.caching.key import FORM, Scope, asked_of, scope_of
from fastgate.caching.semantic.reading import TEXT_CHARS, Reading, read

if TYPE_CHECKING:
    from fastgate._core.digest import Canonical
    from fastgate._core.request import RequestView
    from fastgate.caching.entry import Entry
    from fastgate.caching.semantic.embedder import Vector
    from fastgate.snapshot import KeyRow
    from fastgate.snapshot_cache import SemanticPolicy, SemanticRule

_encode = msgspec.msgpack.Encoder().encode


class Asker(NamedTuple):
    """Who asks, and where."""

    who: KeyRow
    namespace: str
    session: str
    model: str


class Spoken:
    """`would` is the answer that would have been given, where the mode is shadow, at this `similarity`."""

    __slots__ = (
        "namespace", "partition", "reading", "scope", "shadow", "similarity", "sought", "text", "threshold", "vector",
        "would",
    )  # fmt: skip

    def __init__(self, scope: Scope, namespace: str, partition: bytes, text: str, rule: SemanticRule) -> None:
        self.scope = scope
        self.namespace = namespace
        self.partition = partition
        self.text = text
        self.shadow = rule.mode == "shadow"
        self.threshold = rule.threshold
        self.reading: Reading = read(text)
        self.vector: Vector | None = None
        self.sought = False
        """The embedder was asked: where there is no vector then, there is none."""
        self.would: Entry | None = None
        self.similarity = 0.0


def spoken_of(
    policy: SemanticPolicy, rules: str, asker: Asker, lines: bytes, canonical: Canonical, request: RequestView
) -> Spoken | None:
    """The question, or None for a call that is none."""
    rule = rule_for(policy, asker)
    if rule.mode == "off" or (canonical.tool_results and not rule.tool_results):
        return None
    start, end, data = canonical.spoken_start, canonical.spoken_end, canonical.data
    if request.user_turns > rule.user_turns or not 0 < end - start <= 4 * TEXT_CHARS:
        return None
    scope = scope_of(policy.width, asker.who, asker.session)
    if scope is None:
        return None
    try:
        text = canonical.spoken.decode()
    except UnicodeDecodeError:  # half of a surrogate pair, which JSON's escapes can write
        return None
    if len(text) > TEXT_CHARS or not text.strip():
        return None
    whose = (FORM, "semantic", scope, asker.namespace, asker.model, asked_of(lines), rules, start)
    digest = sha256(_encode(whose))
    digest.update(data[:start])
    digest.update(data[end:])
    return Spoken(scope, asker.namespace, digest.digest(), text, rule)


def rule_for(policy: SemanticPolicy, asker: Asker) -> SemanticRule:
    """The first rule that is for this call; the policy's own where none is."""
    who = asker.who
    for rule in policy.rules:
        wanted = (
            (rule.namespaces, asker.namespace),
            (rule.orgs, who.org),
            (rule.teams, who.team),
            (rule.keys, who.key),
            (rule.models, asker.model),
        )
        if all(not globs or any(fnmatchcase(value, glob) for glob in globs) for globs, value in wanted):
            return rule
    return policy.default
