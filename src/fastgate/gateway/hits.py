"""Hits: what a call asks of the cache, and a stored answer as the answer to it, in the form that it wants, at what it
would have cost.

What is found in the worker's memory or the machine's file waits for nothing: a call that comes the plain way (plain.py)
is answered so at once. Compiled with types (hits.pxd). What waits is the room cache's.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fastgate.caching.asked import Asked
from fastgate.caching.entry import Entry, Form, Head, usage_of
from fastgate.caching.forms import FormError, message_of, stream_of
from fastgate.caching.key import Key
from fastgate.caching.memory import Memory, alive
from fastgate.caching.overrides import NONE, Overrides, read_overrides
from fastgate.call import Call
from fastgate.errors import invalid_request

if TYPE_CHECKING:
    from fastgate.caching.answers import Answers
    from fastgate.call import Tap
    from fastgate.snapshot_cache import CachePolicy


def recall(call: Call, answers: Answers) -> bool:
    """Answer the call with what is stored on this machine, in `call.hit`. False where that is not to be had, or takes
    its time: the room cache goes on from what was found out here."""
    policy = call.snapshot.cache
    assert policy is not None
    said = overrides(call, policy)
    key = key_of(call, policy, answers, said)
    if key is None:
        return False
    if not said.refresh:
        oldest_ns = oldest_of(call, said)
        memory: Memory = answers.memory
        entry = memory.get(key.find)
        if entry is None:
            entry = answers.look(key, call.at_ns, oldest_ns)  # it asks the memory again; these are few
        elif not alive(entry, key, call.at_ns, oldest_ns):
            entry = None
        if entry is None:
            call.cache = "miss"
        elif not (entry.pace and policy.paced) and give(call, entry, "hit"):
            return True
    call.asked = asked_of(call, policy, said, key)
    return False


def ask(call: Call, policy: CachePolicy, answers: Answers) -> bool:
    """Fill `call.asked` with what the call asks of the cache; False for a call that it has nothing to do with."""
    said = overrides(call, policy)
    key = key_of(call, policy, answers, said)
    if key is None:
        return False
    call.asked = asked_of(call, policy, said, key)
    return True


def key_of(call: Call, policy: CachePolicy, answers: Answers, said: Overrides) -> Key | None:
    """By what an answer is found, and `call.namespace`; None for a call that the cache has nothing to do with."""
    who, request = call.principal, call.request
    assert who is not None
    assert request is not None
    if (
        said.bypass
        or call.guard == "redacted"
        or call.review is not None
        or (call.route == "count_tokens" and not policy.count_tokens)
    ):
        return None
    known = answers.known
    asker = known.asker(policy, who, call.route, call.model_used, call.lines, call.session, said.namespace)
    question = known.question(asker, call.body, request)
    if question.key is not None:
        call.namespace = said.namespace
    return question.key


def asked_of(call: Call, policy: CachePolicy, said: Overrides, key: Key) -> Asked:
    assert call.request is not None
    ttl_ns = said.ttl_ns or policy.ttl_ns
    oldest_ns = oldest_of(call, said)
    return Asked(key, call.model_used, call.request.max_tokens, ttl_ns, oldest_ns, not said.no_store, said.refresh)


def oldest_of(call: Call, said: Overrides) -> int:
    """When an answer may have begun at the earliest."""
    return call.at_ns - said.ttl_ns if said.ttl_ns else 0


def overrides(call: Call, policy: CachePolicy) -> Overrides:
    """What the client says, where it may say anything. 400 for what cannot be read."""
    own, who = call.head.own, call.principal
    assert who is not None
    if own is None or not policy.overrides or not who.cache_overrides:
        return NONE
    for glob in policy.overrides_denied:
        if fnmatchcase(who.key, glob):
            return NONE
    try:
        return read_overrides(own)
    except ValueError as exc:
        raise invalid_request(str(exc)) from None


def give(call: Call, entry: Entry, how: str) -> bool:
    """Answer the call with the entry, in the form that it wants; False when the entry cannot be told in that form."""
    head = entry.head
    assert call.request is not None
    wanted: Form = "events" if call.request.stream and call.route == "messages" else "message"
    body = entry.body
    if head.form != wanted:
        try:
            body = stream_of(body) if wanted == "events" else message_of(body)
        except FormError:
            return False
    if call.tap is not None:
        body = through(call.tap, call, entry, wanted, body)
    call.hit = (wanted, body)
    call.origin = (head.model, head.endpoint, head.provider)
    call.cache = how
    call.saved_nano = worth_of(call, entry)
    return True


def through(tap: Tap, call: Call, entry: Entry, form: Form, body: bytes) -> bytes:
    """The answer as rules for answers let it pass: it is kept as the provider gave it. What they had nothing to say of
    they are not asked again."""
    call.tap = None
    terms = tap.terms
    passed = entry.passed
    if terms is not None and passed is not None:
        actions, declared, told = passed
        if actions is terms[0] and declared == terms[1] and told == form:
            return body
    noted = call.verdicts
    out = tap.feed(body) + tap.finish() if form == "events" else tap.whole(body)
    if terms is not None and out == body and call.verdicts is noted:
        entry.passed = (*terms, form)
    return out


def worth_of(call: Call, entry: Entry) -> int:
    """What the call would have cost today, at the endpoint that answered the first time."""
    prices = call.snapshot.prices
    if entry.worth is None or entry.worth[0] is not prices:
        entry.worth = (prices, price_of(call, entry.head))
    return entry.worth[1]


def price_of(call: Call, head: Head) -> int:
    if not any(head.tokens):
        return head.cost_nano
    row, known = call.snapshot.prices.lookup(head.provider, head.model)
    try:
        return row.cost(usage_of(head)) if known else head.cost_nano
    except OverflowError:
        return head.cost_nano
