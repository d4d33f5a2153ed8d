"""What a purge forgets. A purge stands as a sentence that every holder of entries reads and applies to its own.

It also binds what is not stored yet: an answer whose call began before the purge and that it matches is never kept.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

SENTENCES_KEPT = 256
"""Purges that are remembered for answers still under way; the oldest of as many is hours old."""


class Told(Protocol):
    """What a purge goes by: the head of an entry, a note, a verdict."""

    @property
    def started_ns(self) -> int: ...
    @property
    def org(self) -> str: ...
    @property
    def team(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def model(self) -> str: ...


class Purge(msgspec.Struct, frozen=True, kw_only=True):
    """Forget entries of calls that began before `before_ns` and match every field that is not empty."""

    before_ns: int
    org: str = ""
    team: str = ""
    user: str = ""
    key: str = ""
    namespace: str = ""
    model: str = ""

    def matches(self, head: Told) -> bool:
        return (
            head.started_ns < self.before_ns
            and (not self.org or self.org == head.org)
            and (not self.team or self.team == head.team)
            and (not self.user or self.user == head.user)
            and (not self.key or self.key == head.key)
            and (not self.namespace or self.namespace == head.namespace)
            and (not self.model or self.model == head.model)
        )


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[Purge]).decode
