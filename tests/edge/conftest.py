"""The edge is tested from outside: the world of tests/gateway, spoken to byte by byte."""

from tests.gateway.conftest import plane, simulator, world

__all__ = ["plane", "simulator", "world"]
