"""Request bodies as Claude Code sends them, of any size, the same bytes for the same arguments.

Key order, roles, block forms, cache_control positions and metadata follow version 2.1.330; the prose is generated, so a
body can be committed, compared and published.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec

MODEL = "claude-sonnet-5-5"
SESSION = "7f3d1c52-0a44-4b0e-9f6d-2c8e5b7a9d10"
DEVICE = "c0ffee" * 10 + "c0ff"

SEED = 20261123
"""Any number: it only has to stay."""

TOOL_NAMES = (
    "Agent",
    "Bash",
    "Edit",
    "Glob",
    "Grep",
    "NotebookEdit",
    "Read",
    "Skill",
    "TodoWrite",
    "WebFetch",
    "WebSearch",
    "Write",
    "mcp__tracker__create_issue",
    "mcp__tracker__list_issues",
    "mcp__database__query",
    "mcp__database__schema",
    "mcp__browser__open",
    "mcp__browser__screenshot",
)

WORDS = (
    *("gateway", "request", "handler", "returns", "buffer", "token", "budget", "ledger", "window", "stream"),
    *("parser", "index", "value", "error", "config", "module", "worker", "cache", "route", "metric", "journal"),
    *("record", "offset", "header", "client", "server", "socket", "timeout", "retry", "limit", "counter", "table"),
)

READ_LINES = 90
"""Lines of one tool result: about 4 KB, a common size of a file that an agent reads."""

KEYWORDS = ("def", "class", "return", "if", "for", "import", "raise", "with")

encode = msgspec.json.Encoder().encode


def conversation(kilobytes: int, tools: int = 18, *, stream: bool = True, model: str = MODEL) -> bytes:
    """A conversation in the middle of a tool loop, `kilobytes` KiB long and at most 9 KiB more."""
    rng = _random(0)
    body = skeleton(tools=tools, stream=stream, model=model)
    messages: list[dict[str, Any]] = body["messages"]
    target, size, number = kilobytes * 1024, len(encode(body)), 0
    while size < target or not number:
        turn = _tool_turn(rng, number)
        size += sum(len(encode(message)) + 1 for message in turn)
        messages += turn
        number += 1
    messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return encode(body)


def skeleton(*, tools: int, stream: bool, model: str) -> dict[str, Any]:
    """The first request of a session: prompt, system blocks, tools, metadata."""
    rng = _random(1)
    cached = {"type": "ephemeral"}
    return {
        "model": model,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Find why the parser drops the last record."}]},
            {"role": "system", "content": "Primary working directory: /home/dev/project\n" + prose(rng, 9000)},
        ],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.330.440; cc_entrypoint=cli;"},
            {"type": "text", "text": "You are a coding assistant in a terminal.", "cache_control": cached},
            {"type": "text", "text": prose(rng, 5800), "cache_control": cached},
        ],
        "tools": [_tool(rng, number) for number in range(tools)],
        "metadata": {
            "user_id": encode({"device_id": DEVICE, "account_uuid": "", "session_id": SESSION}).decode(),
        },
        "max_tokens": 128000,
        "thinking": {"type": "adaptive", "display": "updates"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
        "stream": stream,
    }


def headers(key: str, *, session: str = SESSION) -> dict[str, str]:
    """The request headers that go with such a body."""
    return {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "claude-cli/2.1.330 (external, sdk-cli)",
        "x-claude-code-session-id": session,
        "x-stainless-retry-count": "0",
        "x-stainless-timeout": "600",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
        "anthropic-dangerous-direct-browser-access": "true",
        "anthropic-version": "2023-06-01",
        "x-api-key": key,
        "x-app": "cli",
        "accept-encoding": "gzip, deflate, br, zstd",
    }


def prose(rng: random.Random, size: int) -> str:
    """About `size` bytes of words, sentences and paragraphs."""
    parts: list[str] = []
    length = 0
    while length < size:
        sentence = " ".join(rng.choices(WORDS, k=rng.randint(6, 16))).capitalize() + rng.choice(
            (".", ".", ".\n", ":\n")
        )
        parts.append(sentence)
        length += len(sentence) + 1
    return " ".join(parts)


def source(rng: random.Random, lines: int) -> str:
    """Numbered source lines as Read shows them, with the quotes, tabs and non-ASCII that JSON has to escape."""
    shown = []
    for number in range(1, lines + 1):
        indent = "    " * rng.randint(0, 3)
        words = rng.choices(WORDS, k=3)
        comment = f"  # {' '.join(rng.choices(WORDS, k=2))} ünïcode ☃" if rng.random() < 0.1 else ""
        text = f'{indent}{rng.choice(KEYWORDS)} {words[0]}_{words[1]}("{words[2]}\\t{rng.randint(0, 9999)}"){comment}'
        shown.append(f"{number:6}→{text}")
    return "\n".join(shown)


def _random(stream: int) -> random.Random:
    return random.Random(SEED + stream)  # noqa: S311 the point is that it repeats


def _tool_turn(rng: random.Random, number: int) -> list[dict[str, Any]]:
    """One assistant message that asks for a file and the user message that brings it."""
    id = f"toolu_{rng.getrandbits(88):022x}"
    path = f"/home/dev/project/src/{rng.choice(WORDS)}_{number}.py"
    return [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": prose(rng, 120)},
                {"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": path}},
            ],
        },
        {
            "role": "user",
            "content": [{"tool_use_id": id, "type": "tool_result", "content": source(rng, READ_LINES)}],
        },
    ]


def _tool(rng: random.Random, number: int) -> dict[str, Any]:
    name = TOOL_NAMES[number] if number < len(TOOL_NAMES) else f"mcp__extra__tool_{number}"
    names = rng.sample(WORDS, 4)
    properties = {field: {"type": "string", "description": prose(rng, 120)} for field in names}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": names[:2],
        "additionalProperties": False,
    }
    return {"name": name, "description": prose(rng, 1200), "input_schema": schema}
