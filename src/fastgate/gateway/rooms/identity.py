"""Identity: whose call this is. One digest look-up in the snapshot, the same work for every wrong key.

A secret that was accepted is remembered for as long as its snapshot is in force: only who holds a whole valid secret
takes the shorter path, so there is nothing to learn from its time.
"""

from __future__ import annotations

from fastgate.call import Call
from fastgate.errors import authentication
from fastgate.keys import Digester
from fastgate.snapshot import KeyRow, Snapshot


def identify(call: Call, digester: Digester) -> None:
    """Fill `call.principal`. When both credentials are sent either valid one is enough, and the bearer wins."""
    head = call.head
    row = None
    if head.bearer:
        row = find(call.snapshot, digester, head.bearer, call.at_ns)
    if row is None and head.api_key:
        row = find(call.snapshot, digester, head.api_key, call.at_ns)
    if row is None:
        raise authentication()
    call.principal = row


def find(snapshot: Snapshot, digester: Digester, secret: str, now_ns: int) -> KeyRow | None:
    """The key row that accepts `secret` now, or None."""
    row = snapshot.accepted.get(secret)
    if row is None:
        row = snapshot.principals.get(digester.digest(secret.encode()))
        if row is not None:
            snapshot.accepted[secret] = row
    if row is not None and row.not_after_ns and now_ns >= row.not_after_ns:
        return None
    return row
