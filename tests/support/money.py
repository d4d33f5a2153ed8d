"""What a gateway's counters say, for tests that hold them against the upstream's own log (`burst.billed`)."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from decimal import Decimal
from typing import Any

from tests.support.burst import MODEL, request
from tests.support.gateway import Gateway
from tests.support.raw import Reply

_CLOSING = re.compile(rb"\n: fastgate (\{[^\n]*\})\n")


def session_request(session: str, text: str, max_tokens: int, model: str = MODEL, **more: Any) -> bytes:
    """A Messages body of one session, as Claude Code names it."""
    user = json.dumps({"session_id": session})
    return request(text, max_tokens, model, metadata={"user_id": user}, **more)


def nano(usd: str) -> int:
    """Nano-dollars of a decimal string."""
    return int(Decimal(usd).scaleb(9))


def said(reply: Reply) -> int:
    """What a stream's closing line says it cost, in nano-dollars."""
    found = _CLOSING.search(reply.body)
    assert found is not None, "no closing line"
    return nano(json.loads(found[1])["cost"])


class Ledger:
    """`counters.sqlite` of a gateway, read as it stands."""

    def __init__(self, gateway: Gateway) -> None:
        self.path = gateway.directory / "fastgate-data" / "counters.sqlite"

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(self.path, timeout=10)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()

    def spent(self) -> dict[str, int]:
        """What is spent, by budget."""
        return dict(self.rows("SELECT budget, sum(spent) FROM cells GROUP BY budget"))

    def cells(self, budget: str) -> dict[str, int]:
        """What is spent of a budget that has a cell for each member or value, by cell."""
        return dict(self.rows("SELECT cell, sum(spent) FROM cells WHERE budget = ? GROUP BY cell", budget))

    def leased(self, budget: str = "%") -> int:
        """What is leased of the budgets whose id is LIKE this, calls in flight and slices ahead of need."""
        query = "SELECT coalesce(sum(l.nano), 0) FROM leases l JOIN cells c ON c.id = l.cell WHERE c.budget LIKE ?"
        return int(self.rows(query, budget)[0][0])

    def leased_by(self, epoch: str, budget: str) -> list[int]:
        """What one worker has leased of a budget, by cell."""
        query = "SELECT l.nano FROM leases l JOIN cells c ON c.id = l.cell WHERE l.epoch = ? AND c.budget = ?"
        return [int(nano) for (nano,) in self.rows(query, epoch, budget)]

    def states(self) -> dict[str, str]:
        """Workers that have leases, by epoch: live, doubtful or reaped."""
        return dict(self.rows("SELECT epoch, state FROM workers"))

    def at_rest(self, budget: str, within_s: float = 8.0) -> int:
        """What is spent of a budget once nothing of it is leased."""
        deadline = time.monotonic() + within_s
        while self.leased(budget):
            assert time.monotonic() < deadline, f"{self.leased(budget)} nano-dollars of {budget} stay leased"
            time.sleep(0.05)
        return self.spent().get(budget, 0)
