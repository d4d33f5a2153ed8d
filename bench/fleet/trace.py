"""What the fleet asks for: every call of every developer, drawn once from a seed. No policy has a part in it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"

SECOND = 1_000_000_000
HOUR_S = 3600

SYSTEM_TOKENS = 14_000
"""System prompt and tools of Claude Code (48 KB on its first turn)."""
COMPACT_AT = 165_000
"""Claude Code summarises a conversation that comes near to its window."""
COMPACTED = 32_000
SUBAGENT_SYSTEM = 9_000
TITLE_TOKENS = 1_100


@dataclass(slots=True)
class Turn:
    """One call. `conversation` names what shares a prompt prefix: a session or sub-agent between two compactions.
    `prompt` are its tokens, `kept` those at its beginning that the turn before had."""

    at_s: float
    developer: int
    session: str
    agent: str
    request_class: str
    conversation: str
    model: str
    prompt: int
    kept: int
    output: int
    caches: bool = True


def trace(developers: int, hours: float, seed: int) -> list[Turn]:
    """All calls in the order in which they are made."""
    turns = [turn for number in range(developers) for turn in _day(number, hours, seed)]
    turns.sort(key=lambda turn: turn.at_s)
    return turns


def _day(developer: int, hours: float, seed: int) -> Iterator[Turn]:
    """Sessions one after another; in each prompts, thinking in between; lunch."""
    draw = random.Random(f"{seed}/{developer}")  # a trace, not a secret
    model = draw.choices((OPUS, SONNET, HAIKU), (60, 35, 5))[0]
    pace = draw.uniform(0.6, 1.6)
    now_s = draw.uniform(0, 1800)
    lunch_s = draw.uniform(3.0, 4.5) * HOUR_S
    number = 0
    while now_s < hours * HOUR_S:
        number += 1
        session = f"s{developer}-{number}"
        yield Turn(now_s, developer, session, "", "auxiliary", f"{session}/title", model, TITLE_TOKENS, 0, 20, False)
        part = 1
        prompt = SYSTEM_TOKENS + draw.randint(800, 6_000)
        kept = 0
        for _ in range(draw.randint(3, 18)):
            for step in range(1 + min(int(draw.expovariate(1 / 6)), 40)):
                if now_s >= hours * HOUR_S:
                    return
                if prompt > COMPACT_AT:
                    yield Turn(
                        now_s, developer, session, "", "compaction", f"{session}/{part}", model, prompt, kept, 3_000
                    )
                    part, prompt, kept = part + 1, COMPACTED, 0
                    now_s += 40
                output = max(30, int(draw.lognormvariate(5.4, 0.9)))
                yield Turn(now_s, developer, session, "", "main", f"{session}/{part}", model, prompt, kept, output)
                kept = prompt
                if step == 1 and draw.random() < 0.12:
                    yield from _subagent(draw, now_s, developer, session, model)
                prompt += output + int(draw.lognormvariate(6.6, 1.1))
                now_s += pace * (3 + output / 70 + draw.expovariate(1 / 4))
            prompt += draw.randint(30, 400)
            pause_s = draw.lognormvariate(4.6, 1.1)
            now_s += pace * min(pause_s, 1800)
            if now_s > lunch_s:
                now_s, lunch_s = now_s + draw.uniform(1800, 3600), float("inf")
        now_s += draw.uniform(60, 900)


def _subagent(draw: random.Random, now_s: float, developer: int, session: str, model: str) -> Iterator[Turn]:
    agent = f"a{draw.getrandbits(40):010x}"
    prompt, kept = SUBAGENT_SYSTEM + draw.randint(200, 2_000), 0
    for _ in range(draw.randint(3, 14)):
        output = max(30, int(draw.lognormvariate(5.2, 0.8)))
        yield Turn(now_s, developer, session, agent, "subagent", f"{session}/{agent}", model, prompt, kept, output)
        kept = prompt
        prompt += output + int(draw.lognormvariate(6.8, 1.0))
        now_s += 3 + output / 70
