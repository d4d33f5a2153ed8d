def splice(body: bytes, drop: tuple[bytes, ...] = ..., put: bytes = ..., tool_drop: tuple[bytes, ...] = ...) -> bytes:
    """`body`, a JSON object that was checked, without the members named in `drop`, with the members `put` (as JSON,
    without braces) at its beginning, and with the members named in `tool_drop` taken out of every object in `tools`.
    All other bytes are as they were. ValueError when `body` is no object."""

def members(body: bytes, names: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """The values, as they stand, of the members of these names that `body` has at its top."""
