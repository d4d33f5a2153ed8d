"""Where a conversation stands: whether its last message goes on with a turn, and whether that turn thinks.

Read from the body with the few fields that tell; no text is looked at. Must not know models or rules.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Standing(NamedTuple):
    """`tool_use`: the last message answers a tool. `thinking`: the turn that it goes on with has thinking blocks, whose
    signatures only their model can go on with. `system`: there are messages of the role `system`."""

    tool_use: bool
    thinking: bool
    system: bool


class _Block(msgspec.Struct):
    type: str = ""


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Block] = ""


class _Conversation(msgspec.Struct):
    messages: list[_Message] = []


_decode = msgspec.json.Decoder(_Conversation).decode


def standing(body: bytes) -> Standing | None:
    """None where messages have a shape that is not known: nothing is changed in what cannot be judged."""
    try:
        messages = _decode(body).messages
    except msgspec.ValidationError:
        return None
    talk = [message for message in messages if message.role != "system"]
    tool_use = bool(talk) and _answers(talk[-1])
    thinking = False
    if tool_use:  # back over the whole turn: with interleaved thinking not every step of it has thought
        for message in reversed(talk):
            if message.role == "assistant":
                thinking = thinking or _thinks(message)
            elif not _answers(message):
                break
    return Standing(tool_use, thinking, len(talk) < len(messages))


def _answers(message: _Message) -> bool:
    return isinstance(message.content, list) and any(block.type == "tool_result" for block in message.content)


def _thinks(message: _Message) -> bool:
    return isinstance(message.content, list) and any(block.type.endswith("thinking") for block in message.content)
