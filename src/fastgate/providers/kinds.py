"""Which wire an endpoint's kind has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgate.providers.bedrock import BedrockWire
from fastgate.providers.vertex import VertexWire
from fastgate.providers.wire import Wire

if TYPE_CHECKING:
    from fastgate.snapshot import Endpoint

WIRES: dict[str, type[Wire]] = {"bedrock": BedrockWire, "vertex": VertexWire}
"""Every other kind speaks Anthropic's own API."""


def wire_of(endpoint: Endpoint) -> Wire:
    return WIRES.get(endpoint.kind, Wire)(endpoint)
