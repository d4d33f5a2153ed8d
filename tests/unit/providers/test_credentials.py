"""Credentials: every source, renewal ahead of the end, and that nothing of a secret is ever said."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

import pytest

from fastgate.clock import wall_ns
from fastgate.providers import credentials
from fastgate.providers.credentials import (
    CredentialError,
    Fetched,
    Rotating,
    aws_from_environ,
    aws_from_file,
    from_command,
)
from fastgate.providers.sigv4 import AwsKeys

SECRET = "s3cr3t-that-nobody-may-see"
HOUR_NS = 3600 * 1_000_000_000


def script(path: Path, text: str) -> tuple[str, ...]:
    path.write_text(text)
    return (sys.executable, str(path))


def test_aws_environment() -> None:
    assert aws_from_environ({}) is None
    assert aws_from_environ({"AWS_ACCESS_KEY_ID": "a"}) is None
    assert aws_from_environ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}) == AwsKeys("a", "b")
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"}
    assert aws_from_environ(keys) == AwsKeys("a", "b", "c")
    assert aws_from_environ(keys | {"AWS_BEARER_TOKEN_BEDROCK": "t"}) == "t"


def test_aws_file(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    command = script(tmp_path / "p.py", 'print(\'{"Version":1,"AccessKeyId":"x","SecretAccessKey":"y"}\')')
    file.write_text(
        "[default]\naws_access_key_id = a\naws_secret_access_key = b\n"
        f"[other]\ncredential_process = {' '.join(command)}\n[empty]\nregion = r\n"
    )
    assert aws_from_file(str(file), "default").value == AwsKeys("a", "b")
    assert aws_from_file(str(file), "other").value == AwsKeys("x", "y")
    for profile, said in (("none", "no profile none"), ("empty", "neither keys")):
        with pytest.raises(CredentialError, match=said):
            aws_from_file(str(file), profile)
    with pytest.raises(CredentialError, match="cannot be read"):
        aws_from_file(str(tmp_path / "absent"), "default")


@pytest.mark.parametrize(("printed", "value", "ends"), [
    (SECRET, SECRET, None),
    ({"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c", "Expiration": "2040-01-01T00:00:00Z"},
     AwsKeys("a", "b", "c"), 2208988800),
    ({"access_token": "t", "expires_in": 3600}, "t", None),
    ({"accessToken": "t"}, "t", None),
    ({"token": "t", "expiry": "2040-01-01T00:00:00+00:00"}, "t", 2208988800),
])  # fmt: skip
def test_commands(tmp_path: Path, printed: object, value: object, ends: int | None) -> None:
    text = printed if isinstance(printed, str) else json.dumps(printed)
    fetched = from_command(script(tmp_path / "c.py", f"print({text!r})"))
    assert fetched.value == value
    if ends is not None:
        assert fetched.expires_ns == ends * 1_000_000_000
    else:
        assert wall_ns() < fetched.expires_ns <= wall_ns() + HOUR_NS


@pytest.mark.parametrize("text", [
    f"import sys; print('{SECRET}'); sys.exit(3)", f"print('{SECRET} and more')", f"print('{{\"a\": \"{SECRET}\"}}')",
    f"print('{{\"token\": [\"{SECRET}\"]}}')", "pass", f"print('{{\"token\":\"{SECRET}\",\"expiry\":\"soon\"}}')",
])  # fmt: skip
def test_what_a_command_says_is_never_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        from_command(script(tmp_path / "c.py", text))
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(CredentialError, match="did not run"):
        from_command(("/nowhere/at/all",))


async def test_a_credential_is_renewed_ahead_of_its_end_and_calls_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now = wall_ns()
    monkeypatch.setattr(credentials, "wall_ns", lambda: now)
    made = [Fetched("first", now + HOUR_NS), Fetched("second", now + 2 * HOUR_NS)]
    rotating = Rotating("endpoint x", lambda: made.pop(0))
    assert not rotating.fresh
    await asyncio.gather(rotating.ready(), rotating.ready())
    assert (rotating.value, len(made)) == ("first", 1)
    now += HOUR_NS - credentials.RENEW_AHEAD_NS - 1
    rotating.tend()
    assert rotating._task is None
    now += 2
    rotating.tend()
    assert rotating.fresh and rotating.value == "first"
    assert rotating._task is not None
    await rotating._task
    assert rotating.value == "second" and rotating.fresh


async def test_a_failed_renewal_keeps_what_holds_and_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = wall_ns()
    monkeypatch.setattr(credentials, "wall_ns", lambda: now)
    works = True

    def fetch() -> Fetched:
        if not works:
            raise CredentialError("the token server answered 500")
        return Fetched(SECRET, now + HOUR_NS)

    rotating = Rotating("endpoint x", fetch)
    await rotating.ready()
    works = False
    now += HOUR_NS - 1000
    rotating.tend()
    assert rotating._task is not None
    await rotating._task
    assert rotating.fresh and "still holds" in caplog.text
    now += 2000
    with pytest.raises(CredentialError, match="answered 500"):
        await rotating.ready()
    works = True
    now += credentials.RETRY_NS
    rotating.tend()
    await rotating.ready()
    assert rotating.value == SECRET
    assert SECRET not in caplog.text and SECRET not in repr(Fetched(SECRET)) + repr(rotating)
    logging.getLogger("fastgate.credentials").handlers.clear()
