"""Request bodies, generated: the shape of what Claude Code sends, with all that may be wrong in it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.wire import TEXT, VALUES, mostly, some

TYPES = mostly(st.sampled_from([
    "text", "image", "document", "tool_result", "tool_use", "custom", "web_search_20260318", "bash_20250124",
    "memory_20250818", "mcp_toolset", "tool_addition", "tool_definition",
]))  # fmt: skip
TOOLS = some({"name": mostly(TEXT), "type": TYPES, "input_schema": VALUES, "definition": VALUES})
BLOCKS: st.SearchStrategy[Any] = st.deferred(lambda: some({
    "type": TYPES, "text": TEXT, "input": st.one_of(VALUES, BLOCKS), "source": VALUES, "definition": mostly(TOOLS),
    "content": st.one_of(TEXT, st.lists(BLOCKS, max_size=2)), "tool": some({"definition": TOOLS}),
}))  # fmt: skip
MESSAGES = some({
    "role": mostly(st.sampled_from(["user", "assistant", "system"])), "type": TYPES,
    "content": mostly(st.one_of(TEXT, st.lists(mostly(BLOCKS), max_size=3))),
})  # fmt: skip
EDITS = mostly(st.sampled_from(["compact_20260112", "clear_thinking_20251015", "clear_tool_uses_20250919"]))
WHOLE = st.one_of(st.integers(0, 128_000), st.sampled_from([-1, 1.5, 1e3, 2**53, 2**53 + 1, 10**30, None, "1", True]))
MODELS = mostly(st.sampled_from(["claude-opus-5-5", "m\u00f6del/\U0001f600", "m" * 70, ""]))
BODIES = st.tuples(
    st.fixed_dictionaries({"model": MODELS}),
    some({
        "messages": mostly(st.lists(mostly(MESSAGES), max_size=4)),
        "system": st.one_of(TEXT, st.lists(BLOCKS, max_size=2)),
        "tools": mostly(st.lists(mostly(TOOLS), max_size=3)), "metadata": mostly(some({"user_id": mostly(TEXT)})),
        "max_tokens": mostly(WHOLE), "stream": mostly(st.booleans()), "speed": mostly(TEXT),
        "thinking": mostly(some({"budget_tokens": mostly(WHOLE), "type": TYPES})),
        "mcp_servers": mostly(st.lists(VALUES, max_size=2)), "anthropic_version": mostly(TEXT),
        "context_management": mostly(some({"edits": mostly(st.lists(mostly(some({"type": EDITS, "keep": VALUES})))) })),
    }),
).map(lambda both: both[1] | both[0])  # fmt: skip
