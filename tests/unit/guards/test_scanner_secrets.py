"""Secrets: check sums that vendors publish, what is no secret, the notations in which keys are assigned."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate import keys
from fastgate.guards.rule import load_scanners
from fastgate.guards.scanners import _checksums, _entropy, _formats, _sampling
from fastgate.guards.scanners.secrets import SCANNER
from tests.support.rules import found_text, places, rule_named

ALNUM = string.ascii_letters + string.digits
PUBLISHED = "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"
"""The body of the token in GitHub's article on its formats, withdrawn long ago: 30 signs and their sum."""


def test_there_are_at_least_220_formats_of_providers() -> None:
    generic = {"generic-key", "generic-password", "env-file-secret", "random-string", "private-key", "url-password"}
    names = {rule.id for rule in SCANNER.rules}
    assert generic <= names
    assert len([name for name in names if not name.endswith("-unverified")]) - 24 >= 220


def test_githubs_own_example_has_the_sum_that_we_compute() -> None:
    assert _checksums.crc32_base62(PUBLISHED[:-6]) == PUBLISHED[-6:]
    assert found_text("github-token", f'token = "ghp_{PUBLISHED}"') == [f"ghp_{PUBLISHED}"]


@given(st.text(ALNUM, min_size=30, max_size=30), st.integers(0, 5), st.sampled_from(ALNUM))
def test_a_wrong_sum_makes_another_finding_never_none(body: str, place: int, sign: str) -> None:
    right = body + _checksums.crc32_base62(body)
    wrong = right[: 30 + place] + sign + right[31 + place :]
    if _entropy.is_placeholder(right) or _entropy.is_placeholder(wrong):  # a sum may spell a word such as "mock"
        return
    if _entropy.bits_per_character(body) < 3.2 or _entropy.word_share(body) > 0.6:
        return
    assert bool(found_text("github-token", f"ghp_{right}")) != bool(
        found_text("github-token-unverified", f"ghp_{right}")
    )
    assert bool(found_text("github-token", f"ghp_{wrong}")) == (wrong == right)
    assert bool(found_text("github-token-unverified", f"ghp_{wrong}")) == (wrong != right)


def test_a_key_whose_sum_fits_is_found_though_it_reads_like_a_sample() -> None:
    body = "dzu5VPi7VEMOckjo2eeAaG0vRQ11jAHV3Q"  # "mock"
    assert found_text("fastgate-key", secret := f"sk-fg-{body}{keys.checksum(body)}") == [secret]


def test_our_own_keys_are_found() -> None:
    secret = keys.new_secret()
    assert found_text("fastgate-key", f"ANTHROPIC_API_KEY={secret}") == [secret]


@pytest.mark.parametrize(
    "frame",
    [
        'ACME_API_SECRET = "{}"',
        '{{"client_secret": "{}"}}',
        "client_secret: {}",
        "clientSecret='{}',",
        "<apiKey>{}</apiKey>",
        'setAuthToken("{}")',
        "--api-key={}",
        '{{"api_key" => "{}"}}',
        'os.environ["API_TOKEN"] = "{}"',
        "const signingKey = `{}`;",
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_assignments_in_any_notation(frame: str, seed: int) -> None:
    value = _sampling.sample("[A-Za-z0-9]{40}", f"notation {seed}")
    assert found_text("generic-key", frame.format(value)) == [value]


@pytest.mark.parametrize(
    ("rule", "frame"),
    [
        ("generic-password", 'builder.withPassword("{}!")'),
        ("generic-password", '.password("{}!")'),
        ("generic-password", 'db.password("{}")'),
        ("generic-key", 'api_key = "acme_production_{}"'),
        ("generic-key", "api_key = 'session-{}'"),
        ("netrc-password", "machine git.corp.net login bot password '{}'"),
        ("netrc-password", 'machine git.corp.net login bot password "{}"'),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_neither_a_setter_nor_words_before_it_nor_quotes_hide_a_secret(rule: str, frame: str, seed: int) -> None:
    value = _sampling.sample("[A-Za-z0-9]{40}", f"behind {seed}")
    assert [value in found for found in found_text(rule, frame.format(value))] == [True]


@pytest.mark.parametrize(
    "text",
    [
        'parts = password.replace("Tr0ub4dor&3x", "")',
        'api_key = "service_account_credential_provider_v2_default"',
        "machine = 'machine h login l password \"' + quoted",
        "key = hashlib.sha256(payload).hexdigest()",
        'token = request.headers["X-Token"]',
        'SECRET_KEY = env("DJANGO_SECRET_KEY")',
        'cache_key = "user-profile-settings-by-identifier"',
        'primary_key = "9f86d081884c7d659a2feaa0c55ad015"',
        '"integrity-key": "sha512-4JJNu4yYc9uQ0Zr5tWm2Lx7VbN4pYc8Hd1sJfG6kQ"',
        'api_key = "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"',
        'api_key = "YOUR_API_KEY_GOES_RIGHT_HERE_PLEASE"',
        'secret = "${{ secrets.DEPLOY_TOKEN_PRODUCTION }}"',
        "aws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE",
        "commit 6148d99f0b3c2a7d5e4f3a2b1c0d9e8f7a6b5c4d",
        "password: str = Field(min_length=12)",
    ],
)
def test_what_is_no_secret(text: str) -> None:
    assert not [rule.id for rule in SCANNER.rules if rule.severity != "low" and places(rule, text)]


@given(st.sampled_from([rule for rule in SCANNER.rules if "secret" in rule.exact]), st.integers(0, 10_000))
def test_a_key_is_found_whole_between_other_text(rule, seed) -> None:
    """What is hidden is the same whatever stands around it: nothing of a key stays behind."""
    alone = {rule.samples[0].encode()[start:end] for start, end in places(rule, rule.samples[0])}
    around = f"line {seed}\n\n" + rule.samples[0] + f"\n\nline {seed + 1}"
    assert {around.encode()[start:end] for start, end in places(rule, around)} == alone


def test_a_format_is_taken_apart_without_loss() -> None:
    for name, pattern in _formats.rows("a  x{3}[a-z]{2,4}(?:ab|c)y?\\.z"):
        assert name == "a"
        assert "".join(part.text for part in _formats.parts(pattern)) == "x[a-z](?:ab|c)y\\.z"


def test_a_private_key_is_found_in_what_a_read_tool_prints() -> None:
    sample = rule_named("private-key").samples[0]
    printed = "\n".join(f"{number:6}\u2192{line}" for number, line in enumerate(sample.splitlines(), 1))
    assert len(found_text("private-key", printed)) == 1
    assert len(found_text("private-key", sample.replace("\n", "\\n"))) == 1


def test_families_are_registered_once() -> None:
    assert load_scanners()["secrets"] is SCANNER
