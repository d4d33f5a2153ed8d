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
from fastgate.caching.key import scope_of, whose
from fastgate.caching.overrides import NONE, Overrides, read_overrides
from fastgate.caching.rules import may_be_asked
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
    if not ask(call, policy, answers) or call.asked.refresh:
        return False
    entry = answers.look(call.asked.key, call.at_ns, call.asked.oldest_ns)
    if entry is None:
        call.cache = "miss"
        return False
    if (entry.pace and policy.paced) or not give(call, entry, "hit"):
        return False
    call.asked = None
    return True


def ask(call: Call, policy: CachePolicy, answers: Answers) -> bool:
    """Fill `call.asked` with what the call asks of the cache; False for a call that it has nothing to do with."""
    who, request, said = call.principal, call.request, overrides(call, policy)
    assert who is not None
    assert request is not None
    if (
        said.bypass
        or call.guard == "redacted"
        or call.review is not None
        or (call.route == "count_tokens" and not policy.count_tokens)
    ):
        return False
    scope = scope_of(policy.width, who, call.session)
    if scope is None:
        return False
    model = call.model_used
    of = whose(scope, said.namespace, call.route, model, call.lines, policy.rules)
    question = answers.known.question(scope, said.namespace, of, call.body)
    if question.key is None or not may_be_asked(request, question.temperature, policy):
        return False
    oldest_ns = call.at_ns - said.ttl_ns if said.ttl_ns else 0
    ttl_ns = said.ttl_ns or policy.ttl_ns
    call.asked = Asked(question.key, model, request.max_tokens, ttl_ns, oldest_ns, not said.no_store, said.refresh)
    call.namespace = said.namespace
    return True


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
    if terms is not None and passed is not None and passed[0] is terms[0] and passed[1:] == (terms[1], form):
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
