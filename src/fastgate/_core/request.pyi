from typing import final

class RequestError(ValueError):
    """A body that is refused; the message says what is wrong with it, for the person who sent it."""

@final
class RequestView:
    """What a request says that the gateway decides on. Positions are bytes of the body."""

    model: str
    model_start: int
    """The value of the top-level `model` as it stands in the body, quotes included; -1 when absent."""
    model_end: int
    system_start: int
    """The value of the top-level `system` as it stands in the body; -1 when absent."""
    system_end: int
    stream: bool
    max_tokens: int
    """0 when absent."""
    max_tokens_start: int
    """The number of the top-level `max_tokens` as it stands in the body; -1 when absent."""
    max_tokens_end: int
    thinking_budget: int
    """`thinking.budget_tokens`, 0 when absent."""
    metadata_user_id: str
    """`metadata.user_id`, empty when absent or no string."""
    speed: str
    anthropic_version: str
    """The body's own, as the dialects of Bedrock and Vertex have it."""
    tools: tuple[str, ...]
    """Names in order, of the tools that have one."""
    tool_count: int
    has_server_tools: bool
    """Some tool is run by the provider (MCP servers included), or is of a type that is not known."""
    compacts: bool
    """`context_management` asks the provider to shorten the conversation by itself."""
    names_models: bool
    """There is a top-level `models`, whatever it holds."""
    messages_count: int
    user_turns: int
    """Messages by the user that hold more than tool results."""
    image_count: int
    """Objects of that type anywhere in the conversation, tool results included, tool input not."""
    document_count: int
    text_bytes: int
    """The length of the body."""
    known_bytes: int
    """Of the body, so many bytes are `known_tokens` tokens at the most; both 0 unless somebody sets them."""
    known_tokens: int

def read_request(body: bytes, *, model_required: bool = True) -> RequestView:
    """What the body says; RequestError for one that is refused. `model_required`: the dialects of Bedrock and Vertex
    name the model in the path."""
