"""The simulator's reading of a Messages request: who asks, what was asked last, how far the tool loop has come.

Also the checks that the real provider makes and a gateway can break: fields of the right type, tool results for every
tool call, thinking signatures unchanged. Knows nothing of sockets.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import msgspec

REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
"""Claude Code's own asides inside a user message; never the prompt."""

WORKING_DIRECTORY = re.compile(r"working directory:?\s+(/\S+)", re.IGNORECASE)

PEEK_BYTES = 2048
"""Clients write `model` first and `stream` last, so a fixed answer to a large body needs only its two ends."""

STREAM_FIELD = re.compile(rb'"stream"\s*:\s*(true|false)')
MODEL_FIELD = re.compile(rb'"model"\s*:\s*"([^"\\]{1,256})"')


class BadRequestError(ValueError):
    """What the provider would refuse with 400 invalid_request_error."""


class Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, Any]]


class Tool(msgspec.Struct):
    name: str = ""
    type: str = ""
    input_schema: dict[str, Any] = {}


class Request(msgspec.Struct):
    """The fields that an answer depends on; all others are accepted unseen, as the provider's list is open."""

    model: str
    messages: list[Message]
    max_tokens: int = 0
    stream: bool = False
    tools: list[Tool] = []
    metadata: dict[str, Any] = {}
    system: str | list[dict[str, Any]] = ""
    thinking: dict[str, Any] = {}
    context_management: dict[str, Any] = {}
    safeguards: list[dict[str, Any]] = []
    output_config: dict[str, Any] = {}


class Brief(msgspec.Struct):
    """All that a fixed answer depends on."""

    model: str = "claude-sonnet-5-5"
    stream: bool = False


_decode = msgspec.json.Decoder(Request).decode
_decode_brief = msgspec.json.Decoder(Brief).decode


def peek(chunks: list[bytes]) -> Brief:
    """Model and stream of a body in pieces, without reading all of it where it is large."""
    if len(chunks) == 1 and len(chunks[0]) <= 2 * PEEK_BYTES:
        try:
            return _decode_brief(chunks[0])
        except msgspec.MsgspecError as error:
            raise BadRequestError(str(error)) from None
    head, tail = chunks[0][:PEEK_BYTES], chunks[-1][-PEEK_BYTES:]
    stream = STREAM_FIELD.search(tail) or STREAM_FIELD.search(head)
    model = MODEL_FIELD.search(head) or MODEL_FIELD.search(tail)
    if not stream or not model:
        try:
            return _decode_brief(b"".join(chunks))
        except msgspec.MsgspecError as error:
            raise BadRequestError(str(error)) from None
    return Brief(model.group(1).decode(), stream.group(1) == b"true")


def signature(thinking: str) -> str:
    """The signature of a thinking block: made here, verified when the client sends the block back."""
    return base64.b64encode(hashlib.sha256(b"simulated thinking:" + thinking.encode()).digest()).decode()


def blocks(message: Message) -> list[dict[str, Any]]:
    if isinstance(message.content, str):
        return [{"type": "text", "text": message.content}]
    return message.content


def text_of(message: Message) -> str:
    """The text a person wrote in a message, without Claude Code's reminders and tool results."""
    texts = (block.get("text", "") for block in blocks(message) if block.get("type") == "text")
    return REMINDER.sub("", "\n".join(text for text in texts if isinstance(text, str))).strip()


class Conversation:
    """A decoded request and what follows from it; everything is computed when asked for."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        try:
            self.request = _decode(body)
        except msgspec.MsgspecError as error:
            raise BadRequestError(str(error)) from None
        self.tools = {tool.name for tool in self.request.tools}
        self.prompt_index, self.prompt = self._last_prompt()

    def _last_prompt(self) -> tuple[int, str]:
        """The last user message that a person (or a parent agent) wrote, and where it stands."""
        messages = self.request.messages
        for index in range(len(messages) - 1, -1, -1):
            message = messages[index]
            if message.role == "user" and not self._answers_tools(message) and (text := text_of(message)):
                return index, text
        return -1, ""

    @staticmethod
    def _answers_tools(message: Message) -> bool:
        return any(block.get("type") == "tool_result" for block in blocks(message))

    @property
    def assistant_turns(self) -> int:
        return sum(message.role == "assistant" for message in self.request.messages)

    @property
    def turn(self) -> int:
        """Answers already given to the last prompt: 0 for the first, 1 after its first tool round."""
        return sum(message.role == "assistant" for message in self.request.messages[self.prompt_index + 1 :])

    @property
    def tool_results(self) -> list[str]:
        """The tool results since the last prompt as text, in order."""
        found: list[str] = []
        for message in self.request.messages[self.prompt_index + 1 :]:
            results = (block for block in blocks(message) if block.get("type") == "tool_result")
            found.extend(_result_text(block.get("content", "")) for block in results)
        return found

    @property
    def cache_ttl(self) -> str:
        """What prompt caching the body asks for: "", "5m" or "1h"."""
        if b'"cache_control"' not in self.body:
            return ""
        return "1h" if re.search(rb'"ttl"\s*:\s*"1h"', self.body) else "5m"

    @property
    def session(self) -> str:
        """The session id inside metadata.user_id: a JSON string now, `user_…_session_…` in older clients."""
        user_id = self.request.metadata.get("user_id", "")
        if not isinstance(user_id, str):
            return ""
        if user_id.startswith("{"):
            try:
                fields = msgspec.json.decode(user_id)
            except msgspec.DecodeError:
                return ""
            return str(fields.get("session_id", "")) if isinstance(fields, dict) else ""
        return user_id.rpartition("_session_")[2] if "_session_" in user_id else ""

    @property
    def working_directory(self) -> str:
        texts = [text_of(message) for message in self.request.messages[: self.prompt_index + 2]]
        if isinstance(self.request.system, str):
            texts.append(self.request.system)
        else:
            texts += [str(block.get("text", "")) for block in self.request.system]
        for text in texts:
            if found := WORKING_DIRECTORY.search(text):
                return found.group(1)
        return ""

    def check(self) -> None:
        """Raise BadRequestError where the real provider would refuse the conversation."""
        request = self.request
        if request.max_tokens < 1:
            raise BadRequestError("max_tokens: Field required, at least 1")
        if not request.messages:
            raise BadRequestError("messages: at least one message is required")
        for index, message in enumerate(request.messages):
            if message.role not in ("user", "assistant", "system"):
                raise BadRequestError(f"messages.{index}.role: {message.role!r} is not a role")
        self._check_tool_results()
        self._check_signatures()

    def _check_tool_results(self) -> None:
        """Every tool_use is answered before the next assistant message, under its own id."""
        asked: set[str] = set()
        answered: set[str] = set()
        for index, message in enumerate([*self.request.messages, Message("assistant", [])]):
            if message.role == "user":
                answered |= {str(b.get("tool_use_id")) for b in blocks(message) if b.get("type") == "tool_result"}
            elif message.role == "assistant":
                if answered != asked:
                    raise BadRequestError(
                        f"messages.{index}: `tool_result` ids {sorted(answered)} do not answer the"
                        f" `tool_use` ids {sorted(asked)} before them"
                    )
                asked = {str(b.get("id")) for b in blocks(message) if b.get("type") == "tool_use"}
                answered = set()

    def _check_signatures(self) -> None:
        for index, message in enumerate(self.request.messages):
            for block in blocks(message):
                if block.get("type") == "thinking" and block.get("signature") != signature(block.get("thinking", "")):
                    raise BadRequestError(f"messages.{index}: Invalid `signature` in `thinking` block")


def _result_text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    return ""
