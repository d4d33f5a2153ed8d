"""Virtual keys: a typo is told from an unknown key, digests agree, the pepper is made once."""

import hashlib
import hmac
import os
import threading
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.keys import (
    ALPHABET,
    PREFIX,
    Digester,
    PepperError,
    check_form,
    checksum,
    digest,
    digest_of_sha256,
    ensure_pepper,
    load_pepper,
    new_secret,
)

DIGEST_MAX_US = 2.5
"""The hot path's share for finding a key."""

random_parts = st.text(ALPHABET, min_size=34, max_size=34)


@given(random_parts)
def test_checksum_is_six_base62_digits_of_the_crc(random_part):
    import zlib

    number = 0
    for char in checksum(random_part):
        number = number * 62 + ALPHABET.index(char)
    assert number == zlib.crc32(random_part.encode())
    assert len(checksum(random_part)) == 6
    assert check_form(PREFIX + random_part + checksum(random_part)) == "wellformed"


@given(random_parts, st.data())
def test_any_one_wrong_character_is_a_typo(random_part, data):
    secret = PREFIX + random_part + checksum(random_part)
    at = data.draw(st.integers(len(PREFIX), len(secret) - 1))
    other = data.draw(st.sampled_from([char for char in ALPHABET if char != secret[at]]))
    assert check_form(secret[:at] + other + secret[at + 1 :]) == "typo"


@given(random_parts, st.integers(len(PREFIX), 45))
def test_a_cut_key_is_a_typo(random_part, length):
    assert check_form((PREFIX + random_part + checksum(random_part))[:length]) == "typo"


@given(random_parts, st.integers(0, 32))
def test_two_swapped_neighbours_are_a_typo(random_part, at):
    swapped = random_part[:at] + random_part[at + 1] + random_part[at] + random_part[at + 2 :]
    form = check_form(PREFIX + swapped + checksum(random_part))
    assert form == ("wellformed" if swapped == random_part else "typo")


@given(st.text().filter(lambda text: not text.startswith(PREFIX)))
def test_other_secrets_are_foreign(secret):
    assert check_form(secret) == "foreign"


def test_new_secrets_are_wellformed_and_differ():
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    assert {check_form(secret) for secret in made} == {"wellformed"}
    assert {len(secret) for secret in made} == {len("sk-fg-") + 40}


@given(st.binary(min_size=32, max_size=32), st.text())
def test_all_three_ways_to_a_digest_agree(pepper, secret):
    raw = secret.encode()
    expected = hmac.new(pepper, hashlib.sha256(raw).digest(), "sha256").digest()
    assert digest(pepper, secret) == expected
    assert Digester(pepper).digest(raw) == expected
    assert digest_of_sha256(pepper, hashlib.sha256(raw).hexdigest().upper()) == expected


@pytest.mark.parametrize("wrong", ["", "ab", "g" * 64, "a" * 63, "a" * 65, " " + "a" * 63])
def test_what_is_no_sha256_is_refused(wrong):
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        digest_of_sha256(b"p" * 32, wrong)


def test_a_digest_is_fast_enough_for_every_call():
    digester, secret = Digester(b"p" * 32), new_secret().encode()
    best = min(timeit.repeat(lambda: digester.digest(secret), number=2000, repeat=7)) / 2000
    assert best * 1e6 <= DIGEST_MAX_US


def test_the_pepper_is_made_once_even_in_a_race(tmp_path):
    path, found = tmp_path / "pepper", []
    threads = [threading.Thread(target=lambda: found.append(ensure_pepper(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 8
    assert load_pepper(path) == found[0]
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["pepper"]


def test_a_missing_or_cut_pepper_is_an_error_that_names_it(tmp_path):
    with pytest.raises(PepperError, match="pepper is missing"):
        load_pepper(tmp_path / "pepper")
    (tmp_path / "pepper").write_bytes(b"short")
    with pytest.raises(PepperError, match="5 bytes instead of 32"):
        ensure_pepper(tmp_path / "pepper")
    with pytest.raises(PepperError, match="cannot be made"):
        ensure_pepper(tmp_path / "none" / "pepper")
