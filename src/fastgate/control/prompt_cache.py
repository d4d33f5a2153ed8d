"""The guardian of the provider's prompt cache: what each call should have read from it, and what broke it.

Owns the comparison of a call's prompt with the one before in its conversation, and what a break cost. Reads finished
calls in the order of the journal; keeps the last prompt of every conversation under way in memory, so the first call of
each after a restart is not judged. Stores nothing: a judgement stands in the usage table.

A break is only spoken of where the provider says that it read less than it had: what changed is then looked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastgate._core.money import PriceRow
from fastgate._core.usage import Usage
from fastgate.record import Broke, Judgement
from fastgate.times import NS

SESSIONS_MAX = 4096
"""Sessions and agents whose last prompts are known, those used last; each some ten kilobytes."""

CONVERSATIONS_MAX = 4
"""Of one session and agent: Claude Code titles a session and summarises it beside the conversation itself."""

LOST_TOKENS_MIN = 1024
"""Fewer are no break: the least that Anthropic caches at all."""

LOOKBACK_BLOCKS = 20
"""How far before a breakpoint Anthropic looks for what is cached (its page on prompt caching)."""

TTL_NS, LONG_TTL_NS = 300 * NS, 3600 * NS

AREAS = ("tools", "system", "messages")
KINDS = ("text", "tool_use", "tool_result", "image", "document", "thinking", "other")

_AREA, _KIND, _MARKED, _HOUR, _FIRST = 0x03, 2, 0x20, 0x40, 0x80
_AREAS = bytes(flags & _AREA for flags in range(256))


class Prompt:
    """The blocks of one request, as _core/prefix.pyi lays them out."""

    __slots__ = ("flags", "messages", "n", "prints", "starts")

    def __init__(self, prefix: bytes) -> None:
        self.n = n = len(prefix) // 9
        self.prints = prefix[: 4 * n]
        self.starts = prefix[4 * n : 8 * n]
        self.flags = prefix[8 * n :]
        at = self.flags.translate(_AREAS).find(2)
        self.messages = at if at >= 0 else n
        """Where the messages begin; their flags are the highest of the areas."""

    def common(self, other: Prompt) -> int:
        """How many blocks from the first on are the same."""
        low, high = 0, min(self.n, other.n)
        if self.prints[: 4 * high] == other.prints[: 4 * high]:
            return high  # a conversation that goes on
        while low < high:
            middle = (low + high + 1) // 2
            if self.prints[4 * low : 4 * middle] == other.prints[4 * low : 4 * middle]:
                low = middle
            else:
                high = middle - 1
        return low

    def alike(self, other: Prompt) -> int:
        """How many blocks of the conversation stand where they stood, whatever came before it."""
        mine, theirs = self.messages, other.messages
        ours = memoryview(self.prints[4 * mine :]).cast("I")
        return sum(map(int.__eq__, ours, memoryview(other.prints[4 * theirs :]).cast("I")))

    def marks(self) -> list[int]:
        return [i for i, flag in enumerate(self.flags) if flag & _MARKED]

    @property
    def long(self) -> bool:
        return all(self.flags[i] & _HOUR for i in self.marks())

    def area(self, at: int) -> str:
        return AREAS[self.flags[at] & _AREA]

    def byte(self, at: int) -> int:
        return int.from_bytes(self.starts[4 * at : 4 * at + 4], "little")

    def kind(self, at: int) -> str:
        return "tool" if self.area(at) == "tools" else KINDS[self.flags[at] >> _KIND & 7]

    def name(self, at: int, tools: Sequence[str]) -> str:
        """`tools[3] Bash`, `system[1]`, `messages[12].content[0]`."""
        area = self.area(at)
        first = next(i for i in range(self.n) if self.area(i) == area)
        if area != "messages":
            named = f" {tools[at]}" if area == "tools" and at < len(tools) else ""
            return f"{area}[{at - first}]{named}"
        begins = [i for i in range(first, at + 1) if self.flags[i] & _FIRST]
        return f"messages[{len(begins) - 1}].content[{at - begins[-1]}]"


class Before(NamedTuple):
    """A conversation as its last call left it: its prompt, and the tokens that the provider has of it, from `ready_ns`
    on, when its answer began."""

    at_ns: int
    ready_ns: int
    endpoint: str
    model: str
    prompt: Prompt
    cached: int


class Guardian:
    """The judge of one gateway's calls. `price` is the row of a model at a kind of endpoint, as it is now."""

    def __init__(self, price: Callable[[str, str], PriceRow]) -> None:
        self._price = price
        self._sessions: OrderedDict[tuple[str, str, str], list[Before]] = OrderedDict()

    def judge(self, call: Any) -> Judgement | None:
        """Of a finished call (a CallRecord, or what the usage table decodes of one); None for one that has no prompt
        to speak of, or no session."""
        if not call.prefix or not call.session or call.usage_state != "exact":
            return None
        usage, prompt = call.usage, Prompt(call.prefix)
        now = Before(
            call.at_ns,
            call.at_ns + call.head_us * 1000,
            call.endpoint,
            call.model_used,
            prompt,
            usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        )
        known = self._of((call.key, call.session, call.agent))
        before = find(known, prompt)
        if before is not None:
            if before.ready_ns > call.at_ns:
                return Judgement()  # two calls at once: neither could read what the other wrote
            known.remove(before)
        known.append(now)
        del known[:-CONVERSATIONS_MAX]
        if before is None:
            return Judgement()
        lost = before.cached - usage.cache_read_tokens
        if lost < LOST_TOKENS_MIN:
            return Judgement(expected_read=before.cached)
        return Judgement(expected_read=before.cached, broke=self._explain(before, now, call, lost))

    def _of(self, key: tuple[str, str, str]) -> list[Before]:
        known = self._sessions.get(key)
        if known is None:
            known = self._sessions[key] = []
            if len(self._sessions) > SESSIONS_MAX:
                self._sessions.popitem(last=False)
        else:
            self._sessions.move_to_end(key)
        return known

    def _explain(self, before: Before, now: Before, call: Any, lost: int) -> Broke:
        cost_nano = cost_of(self._price(call.provider, call.model_used), call.usage, lost)
        cause, at = cause_of(before, now)
        if at is None:
            return Broke(cause=cause, lost_tokens=lost, cost_nano=cost_nano)
        prompt = now.prompt
        if at == prompt.n:
            return Broke(cause=cause, lost_tokens=lost, cost_nano=cost_nano, block="messages, cut short")
        return Broke(
            cause=cause,
            lost_tokens=lost,
            cost_nano=cost_nano,
            block=prompt.name(at, call.tools),
            kind=prompt.kind(at),
            byte=prompt.byte(at),
        )


def find(known: Sequence[Before], prompt: Prompt) -> Before | None:
    """The conversation that the prompt goes on with: most of it is the same, from its beginning or where it stood."""
    best, most = None, 0
    for before in known:
        same = before.prompt.common(prompt) - before.prompt.messages
        if same <= 0:
            same = before.prompt.alike(prompt)
            shorter = min(before.prompt.n - before.prompt.messages, prompt.n - prompt.messages)
            if 2 * same < shorter:
                continue
        if same > most:
            best, most = before, same
    return best


def cause_of(before: Before, now: Before) -> tuple[str, int | None]:
    """Why less was read than there was, and the first block that changed where that is why. What suffices by itself
    comes first: a cache that another model, another endpoint or time has taken away needs no further reason."""
    if now.model != before.model:
        return "model", None
    if now.endpoint != before.endpoint:
        return "endpoint", None
    old, new = before.prompt, now.prompt
    if now.at_ns - before.at_ns >= (LONG_TTL_NS if old.marks() and old.long else TTL_NS):
        return "expired", None
    old_marks, new_marks = old.marks(), new.marks()
    last = old_marks[-1] if old_marks else old.n - 1
    same = old.common(new)
    if same <= last:
        return new.area(min(same, new.n - 1)), same
    if old_marks and not new_marks:
        return "unmarked", None
    reach = next((mark for mark in new_marks if mark >= last), None)
    if reach is not None and reach - last > LOOKBACK_BLOCKS:
        return "lookback", None
    return "provider", None


def cost_of(row: PriceRow, used: Any, lost: int) -> int:
    """What the call cost more, in nano-dollars, than if `lost` of its tokens had been read from the cache: they were
    written again, or were plain input."""
    five = min(lost, used.cache_write_5m_tokens)
    hour = min(lost - five, used.cache_write_1h_tokens)
    plain = min(lost - five - hour, used.input_tokens)
    paid = Usage.of(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cache_write_5m_tokens=used.cache_write_5m_tokens,
        cache_write_1h_tokens=used.cache_write_1h_tokens,
        cache_read_tokens=used.cache_read_tokens,
    )
    meant = Usage.of(
        input_tokens=used.input_tokens - plain,
        output_tokens=used.output_tokens,
        cache_write_5m_tokens=used.cache_write_5m_tokens - five,
        cache_write_1h_tokens=used.cache_write_1h_tokens - hour,
        cache_read_tokens=used.cache_read_tokens + five + hour + plain,
    )
    return max(0, row.cost(paid) - row.cost(meant))
