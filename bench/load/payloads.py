"""Bodies and headers as Claude Code sends them, the same on every run, and the answer of the fixed upstream."""

from __future__ import annotations

import json
import random
from typing import Any

MODEL = "claude-sonnet-4-5"
LARGE_BYTES = 730_000
"""A long coding conversation: about 200,000 tokens, where Claude Code compacts."""
TOOLS = 18

# The header set of Claude Code 2.1.330, without what the generator and the connection add.
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": "claude-cli/2.1.330 (external, cli)",
    "X-Claude-Code-Session-Id": "f6332007-4061-42c3-8ede-8c2e7f9210d0",
    "X-Stainless-Arch": "x64",
    "X-Stainless-Lang": "js",
    "X-Stainless-OS": "Linux",
    "X-Stainless-Package-Version": "0.128.0",
    "X-Stainless-Retry-Count": "0",
    "X-Stainless-Runtime": "node",
    "X-Stainless-Runtime-Version": "v26.12.1",
    "X-Stainless-Timeout": "600",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "per-turn-control-2026-07-01,thinking-token-count-2026-05-13,effort-2025-11-24",
    "anthropic-version": "2023-06-01",
    "x-app": "cli",
}

ANSWER: dict[str, Any] = {
    "model": MODEL,
    "id": "msg_01FixedAnswerOfTheBench",
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "text", "text": "The function now returns early when the list is empty, and the test passes. " * 3}
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 12,
        "cache_creation_input_tokens": 340,
        "cache_read_input_tokens": 21_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 340, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 64,
        "service_tier": "standard",
    },
}
ANSWER_JSON = json.dumps(ANSWER, separators=(",", ":"))

_WORDS = (  # noqa: SIM905  # a list of them would be a page
    "request response buffer handler parse header token stream index cursor offset limit retry budget worker snapshot "
    "return yield await raise assert import class self value error result length chunk event model route cache"
).split(" ")


def small(stream: bool) -> bytes:
    """The least that Claude Code sends: one short question."""
    return saying("say hi", stream)


def saying(text: str, stream: bool = False) -> bytes:
    """A first question."""
    return _dump({"model": MODEL, "messages": [{"role": "user", "content": text}], **_settings(stream)})


def large(stream: bool, size: int = LARGE_BYTES) -> bytes:
    """A conversation of about `size` bytes: 18 tools, files read and edited, thinking with signatures."""
    dice = random.Random(730)
    messages: list[dict[str, Any]] = [{"role": "user", "content": [_text("Make the importer resume after a crash.")]}]
    fixed = {"system": _system(dice), "tools": [_tool(dice, i) for i in range(TOOLS)], **_settings(stream)}
    total = len(_dump({"model": MODEL, "messages": messages, **fixed}))
    while (total := total + len(_dump(turn := _turn(dice, len(messages))))) <= size:
        messages += turn
    return _dump({"model": MODEL, "messages": messages, **fixed})


def body(kind: str, stream: bool) -> bytes:
    return large(stream) if kind == "large" else small(stream)


def _settings(stream: bool) -> dict[str, Any]:
    return {"metadata": {"user_id": "user_bench"}, "max_tokens": 32_000, "stream": stream}


def _system(dice: random.Random) -> list[dict[str, Any]]:
    return [_text("You are a coding assistant."), _text(_prose(dice, 900)) | {"cache_control": {"type": "ephemeral"}}]


def _turn(dice: random.Random, number: int) -> list[dict[str, Any]]:
    """The assistant thinks and calls a tool, the client answers with what the tool said."""
    call = f"toolu_{number:06d}"
    path = {"file_path": f"/home/dev/project/src/module_{number}.py"}
    thinking = {"type": "thinking", "thinking": _prose(dice, 40), "signature": f"{dice.getrandbits(2048):0512x}"}
    if dice.random() < 0.3:
        use = {"name": "Edit", "input": {**path, "old_string": _code(dice, 6), "new_string": _code(dice, 8)}}
        said = "The file has been updated."
    else:
        use = {"name": "Read", "input": path}
        said = _code(dice, dice.randrange(40, 160))
    content = [{"type": "tool_result", "tool_use_id": call, "content": [_text(said)]}]
    return [
        {"role": "assistant", "content": [thinking, _text(_prose(dice, 20)), {"type": "tool_use", "id": call, **use}]},
        {"role": "user", "content": content},
    ]


def _tool(dice: random.Random, number: int) -> dict[str, Any]:
    fields = {f"field_{i}": {"type": "string", "description": _prose(dice, 12)} for i in range(4)}
    schema = {"type": "object", "properties": fields, "required": ["field_0"], "additionalProperties": False}
    return {"name": f"Tool{number}", "description": _prose(dice, 120), "input_schema": schema}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _prose(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(_WORDS, k=words)).capitalize() + "."


def _code(dice: random.Random, lines: int) -> str:
    """Text with the newlines, quotes and tabs that source code brings into JSON."""
    out = []
    for number in range(lines):
        a, b, c = dice.choices(_WORDS, k=3)
        out.append(
            f'{number + 1:6}\t{"    " * dice.randrange(4)}{a}_{b} = {c}["{a}"].{b}({dice.randrange(1000)})  # {c} "{b}"'
        )
    return "\n".join(out)


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
