"""Identity: whose call this is, and the tags that its client may set. One digest look-up in the snapshot, the same
work for every wrong key.

A secret that was accepted is remembered for as long as its snapshot is in force: only who holds a whole valid secret
takes the shorter path, so there is nothing to learn from its time.
"""

from __future__ import annotations

from msgspec.structs import replace

from fastgate.call import Call
from fastgate.errors import authentication, invalid_request
from fastgate.keys import Digester
from fastgate.snapshot import KeyRow, Snapshot
from fastgate.tags import given

TAGGED_KEPT = 4096
"""Keys with tags of their clients that are remembered; a client that invents values must not fill memory."""


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
    call.principal = row if head.own is None else tagged(call.snapshot, row, head.own)


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


def tagged(snapshot: Snapshot, row: KeyRow, own: list[tuple[str, str]]) -> KeyRow:
    """The key as this call's client tags it: from here on its tags are the call's. Raises GatewayError."""
    if not row.open_tags:
        return row
    try:
        found = given(own, row.open_tags, row.tags)
    except ValueError as exc:
        raise invalid_request(f"{exc}.") from None
    if not found:
        return row
    known = snapshot.tagged.get((row.digest, found))
    if known is None:
        if len(snapshot.tagged) >= TAGGED_KEPT:
            snapshot.tagged.clear()
        known = replace(row, tags={**row.tags, **dict(found)}, given=found)
        snapshot.tagged[row.digest, found] = known
    return known
