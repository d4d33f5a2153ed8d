"""Which behaviour the next call gets: steps queued over the admin route, the `x-sim` header, directives in the prompt.

Several may apply to one call; a queued step wins over the header, the header over the prompt. Counts live here.
"""

from __future__ import annotations

import msgspec

from fastgate.sim.behaviour import HEALTHY, Behaviour, Step, directives, merged, parse_step
from fastgate.sim.conversation import Conversation

STEPS_MAX = 10_000
"""Queued steps; a test that queues more has a loop it did not mean."""

_decode_steps = msgspec.json.Decoder(list[Step] | Step).decode


class Script:
    """The queue of steps and the counts of directives."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._used: dict[tuple[str, str], int] = {}

    def add(self, *steps: Step) -> None:
        if len(self.steps) + len(steps) > STEPS_MAX:
            raise ValueError(f"more than {STEPS_MAX} steps queued")
        self.steps.extend(steps)

    def add_json(self, body: bytes) -> None:
        """`{"n": 2, "do": {"status": 529}}` or a list of such."""
        steps = _decode_steps(body)
        self.add(*(steps if isinstance(steps, list) else [steps]))

    def clear(self) -> None:
        self.steps.clear()
        self._used.clear()

    def choose(self, path: str, conversation: Conversation | None, header: str) -> Behaviour:
        """The behaviour of one call; counts it against whatever applied."""
        found = []
        if conversation is not None:
            found += self._from_words(directives(conversation.prompt), conversation, path)
        if header:
            found += self._from_words([header], conversation, path)
        if self.steps and (step := self._take(path, conversation)):
            found.append(step.do)
        return merged(found) if found else HEALTHY

    def _from_words(self, words: list[str], conversation: Conversation | None, path: str) -> list[Behaviour]:
        found = []
        for text in words:
            step = parse_step(text)
            step.path = path
            if not _matches(step, path, conversation):
                continue
            if step.n:
                key = (conversation.session if conversation else "", text)
                used = self._used.get(key, 0)
                if used >= step.n:
                    continue
                self._used[key] = used + 1
            found.append(step.do)
        return found

    def _take(self, path: str, conversation: Conversation | None) -> Step | None:
        for index, step in enumerate(self.steps):
            if _matches(step, path, conversation):
                if step.n == 1:
                    del self.steps[index]
                elif step.n > 1:
                    step.n -= 1
                return step
        return None


def _matches(step: Step, path: str, conversation: Conversation | None) -> bool:
    if conversation is None:
        return step.matches(path=path, model="", session="", prompt="", stream=False, turn=0)
    request = conversation.request
    return step.matches(
        path=path,
        model=request.model,
        session=conversation.session,
        prompt=conversation.prompt,
        stream=request.stream,
        turn=conversation.turn,
    )
