"""What the beginning of a conversation came to in tokens, as its provider has stated: the last request of each session.

The next request of the session mostly repeats it. What is the same then counts as the tokens that it was, and only what
is new as bytes, so a long conversation is not held for many times its cost. Bodies are compared, not trusted: where
anything but the last messages differs, nothing is known. Asked only near a ceiling; far from it no call waits for this.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from fastgate.call import Call

KEPT_BYTES = 32 * 1024 * 1024
"""Bodies that one worker keeps, the oldest go first: some sixty conversations of half a megabyte."""

BODY_BYTES_MIN = 8 * 1024
"""A smaller one is not worth remembering: taken for as many tokens it is some cents at the dearest model."""

BODY_BYTES_MAX = 4 * 1024 * 1024
"""A larger one is not kept; a context window of a million tokens is about as long."""

MAY_DIFFER = frozenset(("messages", "max_tokens", "stream", "metadata"))
"""Members that are no part of the prompt; messages are compared one by one."""

_BETA = re.compile(rb"^anthropic-beta:[^\r\n]*", re.IGNORECASE | re.MULTILINE)

Members = dict[str, msgspec.Raw]

_members = msgspec.json.Decoder(Members).decode
_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode

Key = tuple[str, str, str, str, str]


class Known(NamedTuple):
    """One request that was answered: its body and header lines, and all that its prompt came to, cached or not."""

    body: bytes
    lines: bytes
    tokens: int


class Prefixes:
    """The last requests of the sessions that this worker has served."""

    def __init__(self) -> None:
        self._known: dict[Key, Known] = {}
        self._bytes = 0

    def keep(self, call: Call) -> None:
        """Remember what the call's prompt came to, where its provider has stated it."""
        body = call.body
        if not BODY_BYTES_MIN <= len(body) <= BODY_BYTES_MAX:
            return
        usage = call.usage
        if call.usage_state != "exact" or usage is None or not call.session or call.endpoint is None:
            return
        key = key_of(call, call.endpoint.name, call.model_used)
        before = self._known.pop(key, None)
        self._bytes += len(body) + len(call.lines) - (size_of(before) if before is not None else 0)
        prompt = usage.input_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        self._known[key] = Known(body, call.lines, prompt + usage.cache_read_tokens)
        while self._bytes > KEPT_BYTES:
            oldest = next(iter(self._known))
            self._bytes -= size_of(self._known.pop(oldest))

    def tell(self, call: Call, places: set[tuple[str, str]]) -> bool:
        """Say in the call's request what is known of its beginning; whether anything is. `places` are the endpoints and
        models that may answer it: where there are several, a token is not the same to all."""
        request = call.request
        assert request is not None
        if not call.session or len(places) != 1:
            return False
        known = self._known.get(key_of(call, *next(iter(places))))
        if known is None or request.known_bytes or betas(known.lines) != betas(call.lines):
            return False
        new_bytes = differing(known.body, call.body)
        known_bytes = request.text_bytes - new_bytes
        if new_bytes < 0 or known_bytes <= known.tokens:
            return False
        request.known_bytes, request.known_tokens = known_bytes, known.tokens
        return True


def key_of(call: Call, endpoint: str, model: str) -> Key:
    """Whose conversation it is. Sub-agents have their own; another model, or endpoint, counts other tokens."""
    who = call.principal
    assert who is not None
    return who.key, call.session, call.head.agent, endpoint, model


def size_of(known: Known) -> int:
    return len(known.body) + len(known.lines)


def betas(lines: bytes) -> list[bytes]:
    """The header that decides how a prompt is read."""
    return _BETA.findall(lines)


def differing(old: bytes, new: bytes) -> int:
    """Bytes of the messages in `new` behind those of `old`; -1 where `old` is not all there, or anything else differs.

    Messages are whole, so those of the beginning are what all of `old` was. A part of them may be more: thinking that
    a provider leaves out before a new turn counts again where the conversation goes back into the turn before.
    """
    try:
        before, now = _members(old), _members(new)
        if {**before, **dict.fromkeys(MAY_DIFFER)} != {**now, **dict.fromkeys(MAY_DIFFER)}:
            return -1
        first, second = _messages(before["messages"]), _messages(now["messages"])
    except (msgspec.MsgspecError, KeyError):
        return -1  # of a shape that is not known
    same = 0
    for was, becomes in zip(first, second, strict=False):
        if was != becomes:
            break
        same += 1
    if same < len(first):
        return -1
    return sum(len(message) for message in second[same:])
