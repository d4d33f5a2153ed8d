"""Two requests, and whether the answer to the first may be given to the second."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Messages = list[dict[str, Any]]


@dataclass(frozen=True)
class Ask:
    """One request: its messages, and what else of it counts."""

    messages: Messages
    system: str = ""
    tools: tuple[str, ...] = ()
    means: str = ""
    """Names what is asked: requests of one meaning may share an answer, whichever pair they are of."""

    @property
    def last(self) -> str:
        """The last text of the user."""
        return next(
            text for message in reversed(self.messages) if message["role"] == "user" and (text := said(message))
        )

    def body(self) -> bytes:
        tools = [{"name": name, "input_schema": {"type": "object"}} for name in self.tools]
        made: dict[str, Any] = {"model": "claude-sonnet-5-5", "max_tokens": 1024, "messages": self.messages}
        return json.dumps(made | {"system": self.system, "tools": tools}).encode()


@dataclass(frozen=True)
class Pair:
    """`kind` names what was done to the first request to make the second."""

    kind: str
    first: Ask
    second: Ask
    same: bool
    tags: dict[str, str] = field(default_factory=dict)


def said(message: dict[str, Any]) -> str:
    """The texts of a message, without results of tools."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def told(message: dict[str, Any]) -> str:
    """Everything in a message that is text: results of tools too."""
    content = message["content"]
    if isinstance(content, str):
        return content
    parts = [block.get("text") or block.get("content") or json.dumps(block.get("input", "")) for block in content]
    return "\n".join(map(str, parts))


def asked(text: str, **rest: Any) -> Ask:
    return Ask([{"role": "user", "content": text}], **rest)
