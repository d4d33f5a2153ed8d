"""The flight table as a dictionary: the oracle for what a dead worker's file must tell."""

from dataclasses import dataclass, field
from typing import Any

FIGURES = ("input_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")
TOOLS = ("web_search", "web_fetch", "code_execution")
FLAGS = ("seen", "final", "malformed", "fast", "us_geo", "priority")


@dataclass
class Entry:
    n: int
    at_ns: int
    note: Any
    usage: dict[str, int] = field(default_factory=dict)
    output_bytes: int = 0
    sent: bool = False

    def amend(self, note: Any) -> None:
        """Another attempt: what was used so far is in the note."""
        self.note, self.usage, self.output_bytes, self.sent = note, {}, 0, False

    def told(self) -> tuple[Any, ...]:
        """In the order of journal.flight.FlightSlot."""
        figures, tools = (tuple(self.usage.get(name, 0) for name in names) for names in (FIGURES, TOOLS))
        flags = tuple(bool(self.usage.get(name, 0)) for name in FLAGS)
        return (self.n, self.at_ns, self.note, figures, tools, self.output_bytes, *flags, self.sent)


class Table:
    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.taken: dict[int, Entry] = {}

    def claim(self, slot: int, n: int, at_ns: int, note: Any) -> None:
        """`slot` is the real table's choice: a free one, or -1 when there is none."""
        if slot < 0:
            assert len(self.taken) == self.slots
        else:
            assert slot < self.slots
            assert slot not in self.taken
            self.taken[slot] = Entry(n, at_ns, note)

    def told(self) -> list[tuple[Any, ...]]:
        return sorted((entry.told() for entry in self.taken.values()), key=lambda told: told[0])
