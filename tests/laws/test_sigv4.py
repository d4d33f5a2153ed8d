"""Laws of the signer: byte for byte what botocore signs."""

from __future__ import annotations

import datetime as dt
from unittest import mock

from botocore import auth, awsrequest, credentials
from hypothesis import example, given
from hypothesis import strategies as st

from fastgate.providers.sigv4 import AwsKeys, authorization

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=30)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
NAMES = st.sampled_from(["content-type", "x-amzn-bedrock-trace", "anthropic-beta", "accept"])
IDS = st.sampled_from([
    "us.anthropic.claude-opus-4-5-20251101-v1%3A0", "anthropic.claude-opus-5-5", "a%2Fb%7Ec", "x~y", "%C3%A9"
])  # fmt: skip
TIMES = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2040, 1, 1))  # noqa: DTZ001


@given(
    WORDS, WORDS, st.one_of(st.just(""), WORDS), st.sampled_from(["us-east-1", "eu-central-1"]), TIMES, IDS,
    st.dictionaries(NAMES, VALUES), st.binary(max_size=200),
)  # fmt: skip
@example("AK", "SK", "T", "us-east-1", dt.datetime(2026, 11, 24), "m%3A0", {"accept": "  a   b "}, b"{}")  # noqa: DTZ001
def test_the_signature_is_botocores(
    access: str,
    secret: str,
    token: str,
    region: str,
    at: dt.datetime,
    model: str,
    headers: dict[str, str],
    body: bytes,
) -> None:
    host = f"bedrock-runtime.{region}.amazonaws.com"
    path = f"/model/{model}/invoke"
    request = awsrequest.AWSRequest("POST", f"https://{host}{path}", headers=dict(headers), data=body)
    signer = auth.SigV4Auth(credentials.Credentials(access, secret, token or None), "bedrock", region)
    with mock.patch.object(auth, "get_current_datetime", return_value=at):
        signer.add_auth(request)
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    assert request.headers["X-Amz-Date"] == stamp
    signed = [*headers.items(), ("host", host), ("x-amz-date", stamp)]
    if token:
        signed.append(("x-amz-security-token", token))
    ours = authorization(AwsKeys(access, secret, token), region, "bedrock", stamp, "POST", path, signed, body)
    assert ours == request.headers["Authorization"]


def test_keys_are_never_printed() -> None:
    assert "secret" not in repr(AwsKeys("access", "secret", "token"))
    assert "secret" not in f"{AwsKeys('access', 'secret')}"
