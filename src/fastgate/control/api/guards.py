"""The guards in force as a resource of the admin API."""

from __future__ import annotations

from litestar import get

from fastgate.control import shapes_guards as shapes
from fastgate.control.guarding import guards_in_force
from fastgate.control.operations import Operations
from fastgate.control.shapes import Page


@get("/guards", sync_to_thread=True)
def guards(operations: Operations) -> Page[shapes.Guard]:
    """The guards in force, in the order of the configuration, without their credentials."""
    return guards_in_force(operations.world.config.guards)


HANDLERS = [guards]
