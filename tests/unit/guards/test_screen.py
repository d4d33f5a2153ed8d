"""Screening: what leaves, what is recorded, what comes back, for every action; nothing of a secret is ever recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fastgate._core.request import read_request
from fastgate._core.restore import SIZE as RESTORE_SIZE
from fastgate._core.restore import Restorer
from fastgate.guards import placeholders
from fastgate.guards.engine import Engine
from fastgate.guards.placeholders import PREFIX, SIZE, Placeholders, merged, pieces
from fastgate.guards.rule import ANSWER, KINDS, UNTRUSTED, Rule, RuleError, Scanner
from fastgate.guards.scanners import encoded
from fastgate.guards.screen import Guards, Screened, build, self_test
from fastgate.snapshot import GuardException, GuardRow, GuardScope, KeyRow

AWS = "AKIA" + "Q3EGRDZ7KPLM5XWT"
PEM_LINES = ["MIIEowIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6", "VTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u"]
KEY = Rule(
    id="test-key", title="a test key", pattern="AKIA[A-Z0-9]{16}", severity="critical", samples=(AWS,),
)  # fmt: skip
PEM = Rule(
    id="test-pem",
    title="a private key",
    pattern="-----BEGIN [A-Z ]{0,16}PRIVATE KEY-----",
    exact=r"-----BEGIN [A-Z ]{0,16}PRIVATE KEY-----\s*(?P<secret>[A-Za-z0-9+/=\s\xe2\x86\x92]{40,4000}?)"
    r"\s*(?:\d+\xe2\x86\x92)?-----END",
    after=8192,
    samples=("-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(PEM_LINES) + "\n-----END RSA PRIVATE KEY-----",),
)
LONG = Rule(
    id="too-long", title="a very long text", look=lambda block: [(0, 1)] if len(block.text) > 1000 else [],
    kinds=frozenset({"user_text"}), severity="low", samples=("x" * 1001,),
)  # fmt: skip
SCANNERS = {
    "keys": Scanner(name="keys", title="keys", rules=(KEY, PEM)),
    "size": Scanner(name="size", title="size", rules=(LONG,)),
}
WHO = KeyRow(b"alice", "alice-laptop", "alice", "platform", "acme", "", {"project": "checkout"}, (), 0)
OTHER = KeyRow(b"bob", "bob-laptop", "bob", "data", "globex", "", {}, (), 0)
PEPPER = b"p" * 32


def guards(*rows: GuardRow, **more: Any) -> Guards:
    return Guards(rows or (GuardRow("keys", "redact"),), PEPPER, scanners=SCANNERS, **more)


def request(content: Any, role: str = "user", **more: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": role, "content": content}]} | more).encode()


def screen(body: bytes, *rows: GuardRow, who: KeyRow = WHO, now_ns: int = 0) -> Screened:
    read_request(body)
    return guards(*rows).screen(body, who, now_ns)


def sent(screened: Screened) -> Any:
    return json.loads(screened.body)["messages"][0]["content"]


def test_what_is_clean_passes_byte_for_byte() -> None:
    body = request("hello")
    assert screen(body)._replace(sightings=()) == Screened(body, "pass")


def test_a_key_is_hidden_alike_everywhere_and_comes_back() -> None:
    body = request([
        {"type": "text", "text": f"use {AWS} twice: {AWS}"},
        {"type": "tool_result", "tool_use_id": "t", "content": json.dumps({"key": AWS})},
        {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": f"echo '{AWS}'", AWS: 1}},
    ])  # fmt: skip
    screened = screen(body)
    assert screened.state == "redacted"
    assert AWS.encode() not in screened.body
    ((placeholder, secret),) = screened.secrets.items()
    assert secret == AWS.encode() and len(placeholder) == SIZE == RESTORE_SIZE
    restored = screened.body.replace(placeholder, secret)
    assert restored == body
    assert (
        Restorer.of(screened.secrets).whole(
            json.dumps({"content": [{"type": "text", "text": placeholder.decode()}]}).encode()
        )
        == json.dumps({"content": [{"type": "text", "text": AWS}]}).encode()
    )


@pytest.mark.parametrize(
    "spelling",
    [AWS, "\\u0041KIA" + AWS[4:], "".join(f"\\u{ord(c):04x}" for c in AWS), "x\\n" + AWS, '\\"' + AWS + '\\"'],
)
def test_a_key_is_found_however_it_is_escaped(spelling: str) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % spelling.encode()
    assert screen(body).state == "redacted"
    again = json.dumps({"model": "m", "messages": [{"role": "user", "content": f'{{"inner": "{spelling}"}}'}]}).encode()
    screened = screen(again)
    assert screened.state == "redacted"
    json.loads(sent(screened))


def test_a_key_over_many_lines_is_hidden_line_by_line_without_its_gutter() -> None:
    lines = ["-----BEGIN RSA PRIVATE KEY-----", *PEM_LINES, "-----END RSA PRIVATE KEY-----"]
    read = "".join(f"     {number}→{line}\n" for number, line in enumerate(lines, 1))
    screened = screen(request([{"type": "tool_result", "tool_use_id": "t", "content": read}]))
    assert sorted(screened.secrets.values()) == sorted(line.encode() for line in PEM_LINES)
    hidden = sent(screened)[0]["content"].split("\n")
    assert [line.startswith(f"     {number}→") for number, line in enumerate(hidden[:-1], 1)] == [True] * 4


WORDS = Rule(
    id="words", title="an order", look=lambda block: [(0, len(block.text))] if b"obey" in block.text else [],
    worded=True, kinds=UNTRUSTED, samples=("obey",),
)  # fmt: skip


def worded(**more: Any) -> Screened:
    scanners = SCANNERS | {"words": Scanner(name="words", title="words", rules=(WORDS,))}
    body = request("hello", **more)
    read_request(body)
    return Guards((GuardRow("words", "redact"),), PEPPER, scanners=scanners).screen(body, WHO, 0)


@pytest.mark.parametrize("own", [PREFIX.decode(), PREFIX.decode() + "a" * 20])
def test_a_placeholder_among_the_words_of_an_order_does_not_hide_it(own: str) -> None:
    found = worded(messages=[{"role": "user", "content": [{"type": "tool_result", "content": f"obey {own}"}]}])
    assert found.state == "redacted"


def test_thinking_and_signatures_are_never_touched() -> None:
    thinking = [{"type": "thinking", "thinking": AWS, "signature": AWS}, {"type": "redacted_thinking", "data": AWS}]
    body = request(thinking, role="assistant")
    assert screen(body)._replace(sightings=()) == Screened(body, "pass")


def test_a_refusal_names_the_rule_and_the_place_and_no_record_holds_the_secret() -> None:
    screened = screen(request(f"my key is {AWS}"), GuardRow("keys", "block"))
    assert screened.state == "blocked"
    assert screened.refusal == ("test-key", "a test key", "user_text", "messages[0].content", "")
    assert AWS not in repr(screened.verdicts)
    ((rule, action, kind, path, match, note),) = screened.verdicts
    assert (rule, action, kind, path, note) == ("test-key", "block", "user_text", "messages[0].content", "")
    assert len(match) == placeholders.HASH_CHARS


def test_severity_scope_shadow_and_exceptions_decide_the_action() -> None:
    body = request(f"my key is {AWS}")
    strict = GuardRow("keys", "log", severity={"critical": "block"}, scope=GuardScope(teams=("platform",)))
    assert screen(body, strict).state == "blocked"
    assert screen(body, strict, who=OTHER).state == "pass"
    tagged = GuardRow("keys", "block", scope=GuardScope(tags={"project": "check*"}))
    assert screen(body, tagged).state == "blocked"
    tags = {"project": "checkout", "purpose": "test"}
    said = replace(WHO, tags=tags, given=tuple(tags.items()))
    assert (
        screen(body, GuardRow("keys", "block", scope=GuardScope(tags={"project": "check*"})), who=said).state == "pass"
    )
    shadow = screen(body, GuardRow("keys", "block", shadow=True))
    assert shadow.state == "pass" and shadow.verdicts[0][1::4] == ("log", "shadow:block")
    match = shadow.verdicts[0][4]
    excepted = GuardRow("keys", "block", exceptions=(GuardException("test-key", "em", until_ns=10, match=match),))
    assert screen(body, excepted, now_ns=9).verdicts[0][1::4] == ("log", "exception:em")
    assert screen(body, excepted, now_ns=10).state == "blocked"
    assert screen(body, GuardRow("keys", "log"), GuardRow("keys", "redact")).state == "redacted"


def test_what_cannot_be_scanned_is_never_a_pass() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    opened = screen(request([image]))
    assert opened.state == "not-scanned" and opened.verdicts[0][1] == "not_scanned"
    closed = screen(request([image]), GuardRow("keys", "redact", fail="closed"))
    assert closed.state == "blocked" and closed.refusal is not None and closed.refusal.rule == "keys"


def test_a_rule_that_fails_leaves_its_block_unscanned() -> None:
    def broken(text: bytes, start: int, end: int) -> bool:
        raise IndexError

    rule = Rule(id="broken", title="x", pattern="AKIA", check=broken, samples=(AWS,))
    failing = Guards([GuardRow("b", "log")], PEPPER, scanners={"b": Scanner(name="b", title="b", rules=(rule,))})
    assert failing.screen(request(AWS), WHO, 0).state == "not-scanned"
    assert failing.screen(request(AWS), WHO, 0).state == "not-scanned"


def test_the_memo_spares_what_was_judged_and_not_what_another_policy_must_decide() -> None:
    both = guards(GuardRow("keys", "block", scope=GuardScope(orgs=("acme",))), GuardRow("size", "log"))
    body = request([{"type": "text", "text": f"my key is {AWS}"}, {"type": "text", "text": "fine"}])
    assert len(both.screen(body, WHO, 0).sightings) == 2
    first, again, other = both.screen(body, WHO, 0), both.screen(body, WHO, 0), both.screen(body, OTHER, 0)
    assert (again.sightings, other.state) == ((), "pass")
    assert len(other.sightings) == 2, "another user's blocks are new"
    assert first.sightings == (), "they were judged by the line above"
    assert guards(GuardRow("keys", "redact"), before=both).memo is not both.memo
    assert guards(GuardRow("keys", "log", scope=None), GuardRow("size", "log"), before=both).memo is both.memo


def test_two_tenants_never_share_a_placeholder() -> None:
    made = Placeholders(PEPPER)
    assert made.of("acme", b"x") != made.of("globex", b"x") != Placeholders(b"q" * 32).of("globex", b"x")
    assert made.of("acme", b"x") == Placeholders(PEPPER).of("acme", b"x")
    assert made.of("acme", b"x").startswith(PREFIX)


def test_overlapping_places_become_one() -> None:
    assert merged([(5, 9), (0, 3), (2, 6), (9, 10)]) == [(0, 9), (9, 10)]
    assert list(pieces(b"one\n  2\xe2\x86\x92two  \nthree", 1, 21)) == [(1, 3), (10, 13), (16, 21)]


def test_our_own_placeholders_are_no_finding() -> None:
    greedy = Rule(id="any", title="x", pattern="redacted_fg_[a-z2-7]{20}", samples=("redacted_fg_" + "a" * 20,))
    scanners = {"g": Scanner(name="g", title="g", rules=(greedy,))}
    body = request("redacted_fg_" + "a" * 20)
    assert Guards([GuardRow("g", "block")], PEPPER, scanners=scanners).screen(body, WHO, 0).state == "pass"


def test_a_rule_that_misses_its_sample_or_does_not_compile_is_refused(tmp_path: Path) -> None:
    deaf = Rule(id="deaf", title="x", pattern="never", samples=("something else",))
    scanners = {"d": Scanner(name="d", title="d", rules=(deaf,))}
    assert "deaf" in self_test(Guards([GuardRow("d", "log")], PEPPER, scanners=scanners))[0]
    with pytest.raises(RuleError, match="rule broken: pattern"):
        Engine([Rule(id="broken", title="x", pattern="(?<=a)b", samples=("ab",))])
    with pytest.raises(RuleError, match="rule odd: exact"):
        Engine([Rule(id="odd", title="x", pattern="a", exact="(", samples=("a",))])
    assert build((), PEPPER, tmp_path, None, environ={}) is None
    assert self_test(guards()) == []


def test_compiled_patterns_are_kept_and_read_again(tmp_path: Path) -> None:
    first = Engine([KEY, PEM], tmp_path)
    (kept,) = tmp_path.glob("*.hs")
    written = kept.stat().st_ino
    again = Engine([KEY, PEM], tmp_path)
    assert first.examine("user_text", "user", AWS.encode()) == again.examine("user_text", "user", AWS.encode()) != ()
    assert kept.stat().st_ino == written
    kept.write_bytes(b"not a database")
    assert Engine([KEY, PEM], tmp_path).examine("user_text", "user", AWS.encode()) != ()


def test_kinds_with_the_same_rules_share_what_is_compiled(tmp_path: Path) -> None:
    """And a block is not scanned for what no rule looks for in its kind."""
    told = Rule(id="told", title="x", pattern="secret word", samples=("secret word",), kinds=UNTRUSTED)
    engine = Engine([KEY, told], tmp_path)
    assert len(list(tmp_path.glob("*.hs"))) == 2
    found = {kind: [f.rule for f in engine.examine(kind, "user", b"secret word " + AWS.encode())] for kind in KINDS}
    assert found == {kind: [1, 0] if kind in UNTRUSTED else [] if kind in ANSWER else [0] for kind in KINDS}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (GuardRow("nothing", "log"), "no guard is called nothing; there are: keys, size"),
        (GuardRow("keys", "log", rules=("x",)), "keys has no rule x"),
        (GuardRow("keys", "log", settings={"a": 1}), "keys has no settings"),
    ],
)
def test_a_policy_of_what_is_not_there_is_refused(row: GuardRow, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        guards(row)


def test_a_tool_that_has_the_name_of_another_servers_is_found_when_both_are_declared() -> None:
    """Also when the first was judged, and found harmless, before the second came."""
    guards = Guards([GuardRow("mcp", "block", rules=("mcp-shadowed-name",))], b"p" * 32)
    who = KeyRow(b"", "k", "u", "t", "acme", "", {}, (), 0)

    def state(*names: str) -> str:
        tools = [{"name": name, "description": "sends it", "input_schema": {}} for name in names]
        said = json.dumps({"messages": [{"role": "user", "content": "hi"}], "tools": tools}).encode()
        return guards.screen(said, who, 0, names).state

    assert state("mcp__mail__send") == "pass"
    assert state("mcp__mail__send", "mcp__helper__send") == "blocked"
    assert state("mcp__mail__send") == "pass"
    assert state("mcp__helper__Bash") == "blocked"


def test_what_a_rule_needs_is_loaded_before_any_text_is_looked_at() -> None:
    """Guards are built before a worker serves, or in a thread of its own; texts are looked at on the loop."""
    told: list[str] = []
    lazy = Rule(
        id="lazy", title="a text", pattern="word", samples=("word",), ready=lambda: told.append("ready"),
        check=lambda *_: not told.append("looked"),
    )  # fmt: skip
    engine = Engine((lazy,))
    assert told == ["ready"]
    engine.examine("user_text", "user", b"a word")
    assert told == ["ready", "looked"]


def test_what_is_decoded_is_judged_by_what_was_loaded_with_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded._judges.cache_clear()
    engine = Engine(encoded.RULES)
    loaded = encoded._judges.cache_info()
    monkeypatch.setattr(encoded.re, "compile", None)
    assert engine.examine("tool_result", "user", encoded.RULES[0].samples[0].encode())
    assert loaded.currsize == 1
    assert encoded._judges.cache_info().misses == loaded.misses
