"""What tests of single modules share: things that hold files open, and let go of them when a test is over."""

from collections.abc import Iterator

import pytest

from fastgate.journal import JournalWriter
from tests.support.flights import NewWriter


@pytest.fixture
def new_writer() -> Iterator[NewWriter]:
    """JournalWriter.create, for writers that are closed when the test is over."""
    made: list[JournalWriter] = []

    def make(*place, **how):
        made.append(JournalWriter.create(*place, **how))
        return made[-1]

    yield make
    for writer in made:
        writer.close()
