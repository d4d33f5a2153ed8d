"""What a request says, slowly: strict JSON by tests.model.json_text, then plain walks over the tree."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.json_text import Node, NotJsonError, Reader

DEPTH_LIMIT = 64
NAME_LIMIT = 1_000_000
COUNT_LIMIT = 2**53
CLIENT_TOOLS = (b"bash_", b"text_editor_", b"computer_", b"memory_", b"browser_")


class RefusedError(ValueError):
    """The body is refused; the message begins with the field, or is `json`."""


@dataclass
class View:
    model: str = ""
    model_start: int = -1
    model_end: int = -1
    system_start: int = -1
    system_end: int = -1
    stream: bool = False
    max_tokens: int = 0
    max_tokens_start: int = -1
    max_tokens_end: int = -1
    thinking_budget: int = 0
    metadata_user_id: str = ""
    speed: str = ""
    names_models: bool = False
    anthropic_version: str = ""
    tools: tuple[str, ...] = ()
    tool_count: int = 0
    has_server_tools: bool = False
    compacts: bool = False
    messages_count: int = 0
    user_turns: int = 0
    image_count: int = 0
    document_count: int = 0
    text_bytes: int = 0
    known_bytes: int = 0
    known_tokens: int = 0


def text(node: Node | None) -> str:
    return node.text.decode() if node and node.kind == "string" else ""


def whole(node: Node, name: str) -> int:
    if node.kind != "number" or not node.text.isdigit() or int(node.text) > COUNT_LIMIT:
        raise RefusedError(name)
    return int(node.text)


def server_tool(kind: Node | None) -> bool:
    return (
        kind is not None and kind.kind == "string" and kind.text != b"custom" and not kind.text.startswith(CLIENT_TOOLS)
    )


def read_request(body: bytes) -> View:
    reader = Reader(body, DEPTH_LIMIT, strict=True)
    try:
        node = reader.document()
    except NotJsonError as error:
        raise RefusedError(f"json: {error}") from error
    if node.kind != "object" or reader.names > NAME_LIMIT:
        raise RefusedError("json")
    view = View(text_bytes=len(body))
    fields(view, node)
    tools = node.get(b"tools")
    for tool in tools.items if tools else []:
        view.tool_count += 1
        take_tool(view, tool, named=True)
    context = node.get(b"context_management")
    view.compacts = context is not None and context.kind in ("object", "array") and compacts(context)
    servers = node.get(b"mcp_servers")
    view.has_server_tools |= bool(servers and servers.items)
    messages = node.get(b"messages")
    for message in messages.items if messages else []:
        view.messages_count += 1
        view.user_turns += speaks(message)
        conversation(view, message)
    return view


def fields(view: View, node: Node) -> None:
    model, stream, most = node.get(b"model"), node.get(b"stream"), node.get(b"max_tokens")
    if model is None or model.kind != "string" or not model.text:
        raise RefusedError("model")
    view.model, view.model_start, view.model_end = model.text.decode(), model.start, model.end
    if stream is not None:
        if stream.kind not in ("true", "false"):
            raise RefusedError("stream")
        view.stream = stream.kind == "true"
    if most is not None:
        view.max_tokens = whole(most, "max_tokens")
        view.max_tokens_start, view.max_tokens_end = most.start, most.end
    thinking = node.get(b"thinking")
    budget = thinking.get(b"budget_tokens") if thinking else None
    if budget is not None and budget.kind != "null":
        view.thinking_budget = whole(budget, "thinking.budget_tokens")
    system = node.get(b"system")
    if system is not None:
        view.system_start, view.system_end = system.start, system.end
    metadata = node.get(b"metadata")
    view.metadata_user_id = text(metadata.get(b"user_id") if metadata else None)
    view.names_models = node.get(b"models") is not None
    view.speed, view.anthropic_version = text(node.get(b"speed")), text(node.get(b"anthropic_version"))


def compacts(node: Node) -> bool:
    """Some `type` anywhere within begins with `compact`."""
    kind = node.get(b"type")
    if kind is not None and kind.kind == "string" and kind.text.startswith(b"compact"):
        return True
    return any(compacts(inner) for inner in (*node.items, *(value for _, value in node.members)))


def take_tool(view: View, tool: Node, *, named: bool) -> None:
    view.has_server_tools |= server_tool(tool.get(b"type"))
    name = tool.get(b"name")
    if named and name is not None and name.kind == "string":
        view.tools += (name.text.decode(),)


def speaks(message: Node) -> bool:
    """By the user, and more than tool results."""
    role, content = message.get(b"role"), message.get(b"content")
    if role is None or role.kind != "string" or role.text != b"user" or content is None:
        return False
    kinds = [block.get(b"type") for block in content.items]
    return content.kind == "string" or any(k and k.kind == "string" and k.text != b"tool_result" for k in kinds)


def conversation(view: View, node: Node) -> None:
    """Counts what is dear, anywhere but in what a tool was given or in the definition of one."""
    kind = node.get(b"type")
    if kind is not None and kind.kind == "string":
        view.image_count += kind.text == b"image"
        view.document_count += kind.text == b"document"
    for item in node.items:
        conversation(view, item)
    for name, value in node.members:
        if name == b"definition":
            if value.kind == "object":
                take_tool(view, value, named=False)
        elif name != b"input":
            conversation(view, value)
