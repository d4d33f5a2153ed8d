from collections.abc import Callable
from typing import Any, final

@final
class Tally:
    """One finished call, and where its record stands. What many calls share stands as MessagePack values, one behind
    the other; calls that have it in common mostly have it as one object."""

    segment: int
    offset: int
    sequence: int
    worker: bytes
    """The worker's life: with `number` the call's id."""
    kind: bytes
    """org, team, user, key, cost_center, tags, model_asked, model_used, endpoint, provider, outcome, cache, namespace.
    """
    thread: bytes
    """session, agent."""
    cells: bytes
    """The cells, one value."""
    shown: bytes
    """What was new to the model, one value; empty where nothing was."""
    body: bytes
    """The record's body where there is something to say of the prompt cache, else empty."""
    @property
    def size(self) -> int:
        """Bytes in memory, as if nothing of it were shared."""

    @property
    def number(self) -> int: ...
    @property
    def at_ns(self) -> int: ...
    @property
    def cost_nano(self) -> int: ...
    def row(self, worker: int, kind: int, thread: int, journal: int) -> tuple[Any, ...]:
        """As the usage table stores it, with the numbers given: worker, number, at_ns, kind, thread, the five amounts
        of money and the five of tokens in the order of CallRecord, journal, segment, offset; and None
        and 0, for what the guardian of the prompt cache says of calls that it judges."""

def read_call(body: bytes, segment: int, offset: int, sequence: int) -> Tally | None:
    """The call in the body of a record that stands there; None where it is not plainly one."""

def newest(found: list[Any], most_bytes: int) -> int:
    """How many of the last ones come to no more than that by their `size`."""

def alike(found: list[Any], by_thread: bool) -> list[list[Tally]]:
    """The calls among `found` that cost something, those together that budgets cannot tell apart: of one worker, kind
    and cells, and of one thread where that matters. In their order; whatever is no Tally is left out."""

def paid(calls: list[Tally], from_ns: int, last_ns: int) -> tuple[list[tuple[int, int]], list[Tally]]:
    """Number and cost of the first, and of those that began from `from_ns` to `last_ns` as well; and the rest."""

def charge_once(calls: list[tuple[int, int]], page_calls: int, page_of: Callable[[int], bytearray]) -> int:
    """What calls, given as number and cost, come to that were not marked before; from then on they are. A page has a
    byte for each of `page_calls` numbers. A call that costs nothing is not marked."""

def whole_calls(
    window: bytes, at: int, epoch: int, sequence: int, segment: int, base: int, most: int
) -> tuple[list[Tally], int]:
    """As _core.segment.whole_records, of records that are calls; the first that is not plainly one ends the run too."""
