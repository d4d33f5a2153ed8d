"""Laws of the semantic cache: no tenant is ever given another's answer, and none that another question got."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if not (find_spec("hnswlib") and find_spec("wordllama")):
    pytest.skip("the semantic extra is not installed: make install-test", allow_module_level=True)

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from fastgate._core.digest import read_canonical
from fastgate._core.request import read_request
from fastgate.caching.answers import Answers
from fastgate.caching.entry import Entry, Head
from fastgate.caching.key import Key, scope_of, whose
from fastgate.caching.purge import Purge
from fastgate.caching.semantic import shelf
from fastgate.caching.semantic.spoken import Asker, spoken_of
from tests.laws.test_cache_laws import HOUR_NS, TENANTS
from tests.support.semantic import cache_with, policy_of

WORDINGS = {
    "explain": ("Explain the file a.py.", "Please explain the file a.py", "explain the file a.py, thanks"),
    "another file": ("Explain the file b.py.", "Please explain the file b.py"),
    "delete": ("Delete the file a.py.", "Remove the file a.py.", "please delete the file a.py"),
    "keep": ("Do not delete the file a.py.", "Please don't delete the file a.py"),
    "ten": ("Set the limit to 10.", "Please set the limit to 10"),
    "twenty": ("Set the limit to 20.", "Please set the limit to 20"),
}
"""Requests by meaning: only wordings of one may share an answer."""

MEANINGS = {text: meaning for meaning, texts in WORDINGS.items() for text in texts}

HITS: list[str] = []
"""Texts that were answered, in all runs."""

POLICIES = {width: policy_of(namespace=width, entries=40) for width in ("org", "team", "user", "key", "session")}


class Tenants(RuleBasedStateMachine):
    """Three tenants ask, are answered and purge in any order, over restarts. `given` is what each answer was given to,
    by scope and everything else that must be equal."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.given: dict[bytes, tuple[Any, str, str, str]] = {}
        self.serial = 0
        self.asked: list[tuple[str, ...]] = []
        """What was asked so far, in the order of `put`; asked again in other words more often than chance would."""
        self.open()

    def open(self) -> None:
        self.answers = Answers(cache_with(entries=40), Path(self.directory.name) / "cache", self.loop)
        self.loop.run_until_complete(self.ready())

    async def ready(self) -> None:
        store: Any = self.answers.semantic.store if self.answers.semantic is not None else None
        while not store.ready:
            await asyncio.sleep(0.002)

    def teardown(self) -> None:
        self.answers.close()
        self.loop.close()
        self.directory.cleanup()

    @rule(
        who=st.sampled_from(sorted(TENANTS)),
        width=st.sampled_from(sorted(POLICIES)),
        named=st.sampled_from(["", "ci"]),
        model=st.sampled_from(["claude-opus-5-5", "claude-haiku-5-5"]),
        system=st.sampled_from(["", "Be brief."]),
        text=st.sampled_from(sorted(MEANINGS)),
        session=st.sampled_from(["s1", "s2"]),
    )
    def ask(self, who: str, width: str, named: str, model: str, system: str, text: str, session: str) -> None:
        self.asked.append((who, width, named, model, system, text, session))
        self.put(who, width, named, model, system, text, session)

    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        """The same in other words, by the same caller or by another."""
        if self.asked:
            who, width, named, model, system, text, session = data.draw(st.sampled_from(self.asked))
            other = data.draw(st.sampled_from([who, who, *sorted(TENANTS)]))
            words = data.draw(st.sampled_from(WORDINGS[MEANINGS[text]]))
            self.put(other, width, named, model, system, words, session)

    def put(self, who: str, width: str, named: str, model: str, system: str, text: str, session: str) -> None:
        row = TENANTS[who]
        body = json.dumps({"model": model, "system": system, "messages": [{"role": "user", "content": text}]}).encode()
        canonical = read_canonical(body)
        asker = Asker(row, named, session, model)
        spoken = spoken_of(POLICIES[width], "", asker, b"", canonical, read_request(body))
        finder = self.answers.semantic
        assert spoken is not None
        assert finder is not None
        scope = scope_of(width, row, session)
        assert spoken.scope == scope
        same = (scope, named, model, system)
        found = self.loop.run_until_complete(finder.find(spoken, time.time_ns(), 0))
        if found is not None:
            rest, meaning, org, _ = self.given[found.body]
            assert (rest, meaning, org) == (same, MEANINGS[text], row.org)
            HITS.append(text)
            return
        self.serial += 1
        answer = f"answer {self.serial}".encode()
        self.given[answer] = (same, MEANINGS[text], row.org, row.team)
        key = Key(scope, named, whose(scope, named, "messages", model, b"", ""), canonical.data)
        now_ns = time.time_ns()
        head = Head(
            key.proof, key.scope, row.org, row.team, row.user, row.key, named, "messages", "message", model, "up",
            "anthropic", "fg", now_ns, now_ns + HOUR_NS, 1, (1, 1, 0, 0, 0), 0, "end_turn",
        )  # fmt: skip
        entry = Entry(head, answer)
        self.answers.keep(key.find, entry)
        self.loop.run_until_complete(finder.remember(spoken, key, entry))

    @rule()
    def another_worker(self) -> None:
        """The same disk, an empty memory."""
        self.answers.close()
        self.open()

    @rule(who=st.sampled_from(sorted(TENANTS)))
    def purge(self, who: str) -> None:
        assert self.answers.disk is not None
        row, before_ns = TENANTS[who], time.time_ns()
        self.answers.disk.purge(Purge(before_ns=before_ns, org=row.org, team=row.team))
        self.answers.listen()
        self.given = {answer: told for answer, told in self.given.items() if told[2:] != (row.org, row.team)}


STEPS = settings(max_examples=8, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.promise("P-24", bound="nor of reworded questions, over restarts and purges")
def test_three_tenants_never_meet_in_other_words() -> None:
    HITS.clear()
    run_state_machine_as_test(Tenants, settings=STEPS)
    assert HITS


@pytest.mark.promise("P-24", bound="nor where every direction in the index is the same")
def test_three_tenants_never_meet_where_the_index_cannot_tell_them_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The direction of partitions made constant: fewer hits, never a wrong one. The check on the candidates decides."""
    constant = shelf.direction(b"x" * 32, shelf.Reading("", (), (), frozenset(), past=False))
    monkeypatch.setattr(shelf, "direction", lambda partition, reading: constant)
    run_state_machine_as_test(Tenants, settings=STEPS)
