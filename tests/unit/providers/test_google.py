"""Google's tokens against a local token server: it verifies what it gets as Google would, by the key's public half."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fastgate.clock import wall_ns
from fastgate.providers.credentials import CredentialError
from fastgate.providers.google import SCOPE, fetch_token

KEY = rsa.generate_private_key(65537, 2048)


class TokenServer(ThreadingHTTPServer):
    """Answers by path; `seen` holds what came: path, headers, fields."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        form = {k: v[0] for k, v in parse_qs(text).items()} if not text.startswith("{") else json.loads(text)
        self.server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, form))
        status, body = self.server.answers.get(self.path, (404, {}))
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[TokenServer]:
    made = TokenServer()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def write(path: Path, info: dict[str, Any]) -> str:
    path.write_text(json.dumps(info))
    return str(path)


def unpack(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_service_account_signs_for_its_token(server: TokenServer, tmp_path: Path) -> None:
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    uri = f"{server.url}/token"
    info = {"type": "service_account", "client_email": "g@p.example", "private_key": pem, "private_key_id": "k1"}
    file = write(tmp_path / "sa.json", info | {"token_uri": uri})
    server.answers["/token"] = (200, {"access_token": "ya29.one", "expires_in": 3599})
    fetched = fetch_token(file, {})
    assert fetched.value == "ya29.one"
    assert 3500 < (fetched.expires_ns - wall_ns()) / 1e9 < 3600
    ((_, _, form),) = server.seen
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, claims, signature = form["assertion"].split(".")
    KEY.public_key().verify(unpack(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA256())
    assert json.loads(unpack(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    said = json.loads(unpack(claims))
    assert (said["iss"], said["aud"], said["scope"], said["exp"] - said["iat"]) == ("g@p.example", uri, SCOPE, 3600)
    server.answers["/token"] = (401, {"error": "invalid_grant"})
    with pytest.raises(CredentialError, match="answered 401"):
        fetch_token(file, {})


@pytest.mark.parametrize("source", ["file", "url"])
@pytest.mark.parametrize("impersonate", [False, True])
def test_workload_identity(server: TokenServer, tmp_path: Path, source: str, impersonate: bool) -> None:
    (tmp_path / "oidc").write_text(json.dumps({"id_token": "subject-1"}))
    kind = {"format": {"type": "json", "subject_token_field_name": "id_token"}}
    server.answers["/oidc"] = (200, {"id_token": "subject-1"})
    server.answers["/sts"] = (200, {"access_token": "federated", "expires_in": 3600})
    info: dict[str, Any] = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{server.url}/sts",
        "credential_source": {"file": "oidc", **kind} if source == "file" else {"url": f"{server.url}/oidc", **kind},
    }
    if impersonate:
        info["service_account_impersonation_url"] = f"{server.url}/sa:generateAccessToken"
        answer = {"accessToken": "impersonated", "expireTime": "2040-01-01T00:00:00Z"}
        server.answers["/sa:generateAccessToken"] = (200, answer)
    fetched = fetch_token("", {"GOOGLE_APPLICATION_CREDENTIALS": write(tmp_path / "wif.json", info)})
    exchange = next(form for path, _, form in server.seen if path == "/sts")
    assert (exchange["subject_token"], exchange["audience"]) == ("subject-1", "//iam.googleapis.com/p")
    assert fetched.value == ("impersonated" if impersonate else "federated")
    if impersonate:
        _, headers, form = server.seen[-1]
        assert (headers["authorization"], form["scope"]) == ("Bearer federated", [SCOPE])
        assert fetched.expires_ns == 2208988800 * 1_000_000_000


def test_the_metadata_server_of_the_machine(
    server: TokenServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    server.answers[path] = (200, {"access_token": "of-the-machine", "expires_in": 1800})
    assert fetch_token("", {"GCE_METADATA_HOST": f"127.0.0.1:{server.server_port}"}).value == "of-the-machine"
    assert server.seen[0][1]["metadata-flavor"] == "Google"


def test_a_persons_own_login(server: TokenServer, tmp_path: Path) -> None:
    info = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    server.answers["/t"] = (200, {"access_token": "mine", "expires_in": 60})
    assert fetch_token(write(tmp_path / "adc.json", info | {"token_uri": f"{server.url}/t"}), {}).value == "mine"
    assert server.seen[0][2] == {"grant_type": "refresh_token"} | {k: v for k, v in info.items() if k != "type"}


@pytest.mark.parametrize(("info", "said"), [
    ({"type": "service_account", "token_uri": "http://tokens.example/t"}, "no usable private_key"),
    ({"type": "authorized_user", "token_uri": "http://tokens.example/t"}, "must be an https"),
    ({"type": "external_account", "credential_source": {"environment_id": "aws1"}}, "not supported"),
    ({"type": "gdch"}, "type that is not known"),
    ([], "cannot be read"),
])  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, info: Any, said: str) -> None:
    with pytest.raises(CredentialError, match=said):
        fetch_token(write(tmp_path / "x.json", info), {})
