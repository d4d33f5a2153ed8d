"""What the simulated model says next: from the state of the conversation to the blocks of one answer.

The default, `auto`, reads the prompt: a file named in it starts the loop Read, Edit, Bash, final text; the words
"parallel" or "sub-agent" start those; without the tools for it, or without such words, the answer is text.
Knows nothing of events, bytes or sockets.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import cycle, islice
from typing import Any, Literal

import msgspec

from fastgate.sim.behaviour import DIRECTIVE, Behaviour
from fastgate.sim.conversation import Conversation

PATH = re.compile(r"(?<![\w/])(/?[\w.-]+(?:/[\w.-]+)*\.[A-Za-z]\w{0,7})\b")
LINE_NUMBER = re.compile(r"^\s*\d+(?:→|\t|:)")
"""How Read numbers the lines of its result."""

WORDS = b"a scripted reply "
DEFAULT_TOKENS = 64

DELTA_CHARS = 16
"""Four tokens a delta, about what the provider sends."""

THOUGHT = "The prompt asks for a scripted reply, so a scripted reply it gets. "
SUBAGENT_TOOLS = {"Agent", "Task"}
"""The tool's name now and in older clients."""

EDIT_MARK = " (edited by the simulator)"


class Text(msgspec.Struct, frozen=True):
    text: str
    delta_chars: int = DELTA_CHARS


class Thinking(msgspec.Struct, frozen=True):
    thinking: str


class ToolUse(msgspec.Struct, frozen=True):
    name: str
    input: dict[str, Any]


Block = Text | Thinking | ToolUse


class Reply(msgspec.Struct, frozen=True):
    """The blocks of one answer, before ids, events and usage."""

    blocks: list[Block]
    stop_reason: Literal["end_turn", "tool_use"] = "end_turn"


@lru_cache(maxsize=8)
def filler(tokens: int) -> str:
    """Deterministic text of exactly `tokens` output tokens."""
    return bytes(islice(cycle(WORDS), tokens * 4)).decode()


def reply_to(conversation: Conversation, behaviour: Behaviour) -> Reply:
    """The answer to a conversation, as the behaviour's scenario (or `auto`) has it."""
    scenario: str = behaviour.scenario or "auto"
    if scenario == "auto":
        scenario = _pick(conversation)
    if scenario == "loop":
        return _loop(conversation, behaviour)
    if scenario == "parallel":
        return _parallel(conversation, behaviour)
    if scenario == "subagent":
        return _subagent(conversation, behaviour)
    blocks: list[Block] = [Text(_text(conversation, behaviour), behaviour.delta_chars or DELTA_CHARS)]
    if scenario == "thinking":
        blocks.insert(0, Thinking(THOUGHT * 3))
    return Reply(blocks)


def _pick(conversation: Conversation) -> str:
    prompt, tools = DIRECTIVE.sub("", conversation.prompt).lower(), conversation.tools
    if "parallel" in prompt and "Bash" in tools:
        return "parallel"
    if re.search(r"sub-?agent", prompt) and tools & SUBAGENT_TOOLS:
        return "subagent"
    if PATH.search(prompt) and {"Read", "Edit", "Bash"} <= tools:
        return "loop"
    if "think" in prompt:
        return "thinking"
    return "text"


def _text(conversation: Conversation, behaviour: Behaviour) -> str:
    if behaviour.text:
        return behaviour.text
    if schema := conversation.request.output_config.get("format", {}).get("schema"):
        return msgspec.json.encode(_instance(schema)).decode()
    return filler(behaviour.tokens or DEFAULT_TOKENS)


def _instance(schema: dict[str, Any]) -> Any:
    """The smallest value of a JSON schema, for structured answers (session titles)."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: _instance(part) for name, part in schema.get("properties", {}).items()}
        case "array":
            return []
        case "boolean":
            return False
        case "integer" | "number":
            return 0
        case _:
            return "Simulated"


def _file(conversation: Conversation, behaviour: Behaviour) -> str:
    named = behaviour.file
    if not named:
        found = PATH.search(DIRECTIVE.sub("", conversation.prompt))
        named = found.group(1) if found else "notes.txt"
    if not named.startswith("/") and (directory := conversation.working_directory):
        return f"{directory}/{named}"
    return named


def _loop(conversation: Conversation, behaviour: Behaviour) -> Reply:
    """Read the file, edit its first line, run a command over it, report."""
    file, results = _file(conversation, behaviour), conversation.tool_results
    if not results:
        return _tools(ToolUse("Read", {"file_path": file}), say=f"I will read {file}.")
    if len(results) == 1:
        old = behaviour.old or _first_line(results[0])
        new = behaviour.new or old + EDIT_MARK
        return _tools(ToolUse("Edit", {"file_path": file, "old_string": old, "new_string": new}))
    if len(results) == 2:
        command = behaviour.command or f"cat '{file}'"
        return _tools(ToolUse("Bash", {"command": command, "description": "Show the edited file"}))
    return Reply([Text(behaviour.text or f"Done. The command printed: {results[2].strip()[:200]}")])


def _first_line(read_result: str) -> str:
    """The first line with anything on it, without the line number that Read puts before it."""
    for line in read_result.splitlines():
        if bare := LINE_NUMBER.sub("", line).strip():
            return bare
    return ""


def _parallel(conversation: Conversation, behaviour: Behaviour) -> Reply:
    """Three tool calls in one answer, then a report that counts their results."""
    results = conversation.tool_results
    if results:
        said = "; ".join(result.strip()[:80] for result in results)
        return Reply([Text(behaviour.text or f"Done. {len(results)} results: {said}")])
    commands = [f"echo parallel-{number}" for number in (1, 2, 3)]
    return _tools(*(ToolUse("Bash", {"command": command, "description": "Say a number"}) for command in commands))


def _subagent(conversation: Conversation, behaviour: Behaviour) -> Reply:
    """Hand a prompt to a sub-agent, then report what it said. The sub-agent's own calls answer that prompt, in which
    `{{sim:…}}` stands for a directive (written so, it does not speak to the parent's call)."""
    results = conversation.tool_results
    if results:
        return Reply([Text(behaviour.text or f"Done. The helper said: {results[0].strip()[:200]}")])
    tool = next(tool for tool in conversation.request.tools if tool.name in SUBAGENT_TOOLS)
    prompt = behaviour.prompt or 'Answer. {{sim:text text="Words from below."}}'
    fields: dict[str, Any] = {
        "description": "Ask below",
        "prompt": prompt.replace("{{", "[[").replace("}}", "]]"),
        "subagent_type": "general-purpose",
    }
    if "run_in_background" in tool.input_schema.get("properties", {}):
        fields["run_in_background"] = False
    return _tools(ToolUse(tool.name, fields))


def _tools(*uses: ToolUse, say: str = "") -> Reply:
    blocks: list[Block] = [Text(say)] if say else []
    return Reply([*blocks, *uses], "tool_use")
