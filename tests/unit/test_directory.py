"""directory.yaml: references, owners, secrets, times; what is missing is said at once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.directory import Directory, load_directory, parse_directory, secret_sha256
from fastgate.directory_checks import moment_ns
from fastgate.keys import new_secret
from fastgate.tree import ConfigErrors

SECRET = "a-secret-of-another-gateway"
WHOLE = """\
orgs:   [{id: acme, name: Acme}]
cost_centers: [{id: CC-1001, owner: em@acme.example}]
teams:  [{id: platform, org: acme, cost_center: CC-1001}]
users:  [{id: alice, team: platform, email: alice@acme.example}]
keys:
  - {id: alice-laptop, user: alice, secret: ${ALICE_KEY}, tags: {project: checkout}, models: [claude-*],
     expires: 2037-01-01}
"""


def parse(text: str, **environ: str) -> tuple[Directory, list[str]]:
    directory, warnings = parse_directory(text.encode(), environ, "d")
    return directory, [str(warning) for warning in warnings]


def mistakes(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse(text, **environ)
    return [str(problem) for problem in caught.value.problems]


def test_the_contracts_example_is_read(tmp_path):
    path = tmp_path / "directory.yaml"
    path.write_text(WHOLE)
    directory, warnings = load_directory(path, {"ALICE_KEY": SECRET})
    assert warnings == []
    key = directory.keys[0]
    assert key.expires_ns() == int(datetime(2037, 1, 1, tzinfo=UTC).timestamp()) * 10**9
    assert (key.user, key.team, key.tags, key.models) == ("alice", None, {"project": "checkout"}, ("claude-*",))
    assert SECRET not in repr(directory)


def test_all_mistakes_come_at_once():
    text = """\
orgs: [{id: acme}, {id: acme}]
teams: [{id: t, org: nope}, {id: "a b", org: acme}, {id: u, org: acme, cost_center: CC}]
users: [{id: alice, team: tt}]
keys:
  - {id: k1, user: alice, secret: short}
  - {id: k1, user: bob, team: u, secret_sha256: 12}
  - {id: k3, secret: aaaaaaaaaaaaaaaaaaaaaaaa}
  - {id: k4, team: u}
  - {id: k5, team: u, secret: aaaaaaaaaaaaaaaaaaaaaaaa, secret_sha256: HEX}
  - {id: k6, team: u, secret: aaaaaaaaaaaaaaaaaaaaaaaa, tags: {session: x, Up: y, ok: " z"}, open_tags: [cost_center]}
  - {id: k7, team: u, secret: "${MISSING}", models: ["a b"], cost_center: CC}
budgets: [{id: b}]
""".replace("HEX", "ab" * 32)
    assert mistakes(text) == [
        "d:1: orgs[1].id: acme is already the id of orgs[0]",
        "d:2: teams[1].id: must be 1 to 128 letters, digits or any of . _ @ : + - and begin with a letter or digit",
        "d:2: teams[0].org: nope is not declared under orgs",
        "d:2: teams[2].cost_center: CC is not declared under cost_centers",
        "d:3: users[0].team: tt is not declared under teams; nearest: t",
        "d:5: keys[0].secret: must be 24 or more visible ASCII characters",
        "d:6: keys[1].secret_sha256: must be the SHA-256 of the secret: 64 hexadecimal digits",
        "d:6: keys[1].id: k1 is already the id of keys[0]",
        "d:6: keys[1].user: bob is not declared under users",
        "d:6: keys[1].team: stands beside user, whose team it is already; give one of the two",
        "d:7: keys[2]: needs a user, or a team for a service key",
        "d:8: keys[3]: needs exactly one of secret and secret_sha256",
        "d:9: keys[4]: needs exactly one of secret and secret_sha256",
        "d:9: keys[4]: has the same secret as keys[2]",
        "d:10: keys[5].tags.session: the tag session is reserved",
        "d:10: keys[5].tags.Up: must be 1 to 64 lower-case letters, digits or any of . _ -",
        "d:10: keys[5].tags.ok: must be 1 to 128 printable characters without spaces around them",
        "d:10: keys[5].open_tags[0]: the tag cost_center is reserved; use the key cost_center",
        "d:10: keys[5]: has the same secret as keys[2]",
        "d:11: keys[6].secret: environment variable MISSING is not set",
        "d:11: keys[6].models[0]: must be a model id or a glob of one, like claude-*",
        "d:11: keys[6].cost_center: CC is not declared under cost_centers",
        *(f"d:12: budgets[0].{field}: missing" for field in ("level", "of", "period", "usd")),
    ]


def test_a_secret_and_its_sha256_are_the_same_key():
    directory, _ = parse(WHOLE, ALICE_KEY=SECRET)
    sha = secret_sha256(directory.keys[0])
    twice = WHOLE + f"  - {{id: other, user: alice, secret_sha256: {str(sha).upper()}}}"
    assert mistakes(twice, ALICE_KEY=SECRET) == ["d:8: keys[1]: has the same secret as keys[0]"]


@pytest.mark.parametrize(("where", "warned"), [("none", True), ("teams", False), ("users", False), ("keys", False)])
def test_a_key_without_a_cost_centre_is_warned_of(where, warned):
    at = {section: ", cost_center: C" if section == where else "" for section in ("teams", "users", "keys")}
    text = (
        "orgs: [{id: o}]\ncost_centers: [{id: C}]\n"
        f"teams: [{{id: t, org: o{at['teams']}}}]\nusers: [{{id: u, team: t{at['users']}}}]\n"
        f"keys: [{{id: k, user: u, secret: {SECRET}{at['keys']}}}]\n"
    )
    _, warnings = parse(text)
    message = "d:5: keys[0]: k has no cost centre: none on the key, its user or its team"
    assert warnings == ([message] if warned else [])


def test_expired_and_mistyped_keys_are_warned_of():
    secret = new_secret()
    wrong = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    head = "orgs: [{id: o}]\ncost_centers: [{id: C}]\nteams: [{id: t, org: o, cost_center: C}]\n"
    _, warnings = parse(head + f"keys: [{{id: k, team: t, secret: {wrong}, expires: 2001-01-01}}]")
    assert warnings == [
        "d:4: keys[0].expires: k has expired",
        "d:4: keys[0].secret: begins like a fastgate key but its checksum is wrong; was it mistyped?",
    ]


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_moments_become_nanoseconds_exactly(moment):
    moment = moment.replace(tzinfo=UTC)
    assert moment_ns(moment) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
