"""Access tokens for Google Vertex AI, from what Google's own libraries call application default credentials.

Service accounts (a signed JWT, RFC 7523), workload identity federation (a token of another identity exchanged at STS,
RFC 8693, then perhaps a service account impersonated), a person's own login, and the metadata server of Google's
machines. Every function blocks: credentials.py runs them on a thread. Nothing of a file's secrets reaches a message.
"""

from __future__ import annotations

import base64
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fastgate.clock import wall_ns
from fastgate.providers.credentials import CredentialError, Fetched

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_S = 3600
"""The longest that Google lets a token of a service account live."""
REQUEST_S = 20.0
"""How long a token server may take; Google's libraries wait up to two minutes, a waiting call should not."""
ANSWER_BYTES_MAX = 1 << 20

METADATA_HOST = "metadata.google.internal"
METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
LOGIN_FILE = "~/.config/gcloud/application_default_credentials.json"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105


def fetch_token(file: str, environ: Mapping[str, str]) -> Fetched:
    """A token by the given file; without one by GOOGLE_APPLICATION_CREDENTIALS, the login of gcloud, or the machine."""
    path = file or environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    if not path and Path(LOGIN_FILE).expanduser().exists():
        path = LOGIN_FILE
    if not path:
        host = environ.get("GCE_METADATA_HOST", METADATA_HOST)
        return _token_of(_get(f"http://{host}{METADATA_PATH}", {"Metadata-Flavor": "Google"}), "the metadata server")
    info = read_info(path)
    match info.get("type"):
        case "service_account":
            return service_account(info)
        case "authorized_user":
            return authorized_user(info)
        case "external_account":
            return external_account(info, Path(path).expanduser().parent)
    raise CredentialError(f"{path} is of a type that is not known here: {str(info.get('type'))[:40]}")


def read_info(path: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(Path(path).expanduser().read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError):
        raise CredentialError(f"the Google credentials file {path} cannot be read") from None


def service_account(info: dict[str, Any]) -> Fetched:
    """A token for a service account's key."""
    uri = str(info.get("token_uri", ""))
    answer = _post_form(uri, {"grant_type": JWT_GRANT, "assertion": assertion(info, uri)})
    return _token_of(answer, uri)


def assertion(info: dict[str, Any], audience: str) -> str:
    """The JWT by which the key's holder asks for a token, signed RS256 (RFC 7518)."""
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(info["private_key"].encode(), None)
        claims = {"iss": info["client_email"], "scope": SCOPE, "aud": audience}
    except (KeyError, AttributeError, ValueError, TypeError):
        raise CredentialError("the service account file holds no usable private_key and client_email") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CredentialError("the service account's private_key is not RSA")
    now_s = wall_ns() // 1_000_000_000
    header = {"alg": "RS256", "typ": "JWT", "kid": str(info.get("private_key_id", ""))}
    said = b".".join(
        _b64(msgspec.json.encode(part)) for part in (header, claims | {"iat": now_s, "exp": now_s + TOKEN_S})
    )
    return (said + b"." + _b64(key.sign(said, padding.PKCS1v15(), SHA256()))).decode()


def authorized_user(info: dict[str, Any]) -> Fetched:
    uri = str(info.get("token_uri") or "https://oauth2.googleapis.com/token")
    fields = {name: str(info.get(name, "")) for name in ("client_id", "client_secret", "refresh_token")}
    return _token_of(_post_form(uri, {"grant_type": "refresh_token", **fields}), uri)


def external_account(info: dict[str, Any], base: Path) -> Fetched:
    """Workload identity federation: another identity's token, exchanged for Google's."""
    uri = str(info.get("token_url", ""))
    exchanged = _post_form(
        uri,
        {
            "grant_type": EXCHANGE_GRANT,
            "audience": str(info.get("audience", "")),
            "scope": SCOPE,
            "requested_token_type": ACCESS_TOKEN,
            "subject_token_type": str(info.get("subject_token_type", "")),
            "subject_token": subject_token(info.get("credential_source"), base),
        },
    )
    token = _token_of(exchanged, uri)
    impersonate = info.get("service_account_impersonation_url")
    if not impersonate:
        return token
    body = msgspec.json.encode({"scope": [SCOPE], "lifetime": f"{TOKEN_S}s"})
    headers = {"authorization": f"Bearer {token.value}", "content-type": "application/json"}
    answer = _ask(urllib.request.Request(_checked(str(impersonate)), body, headers))  # noqa: S310  # checked
    try:
        ends = datetime.fromisoformat(str(answer["expireTime"]))
        return Fetched(str(answer["accessToken"]), int(ends.timestamp() * 1e9))
    except (KeyError, ValueError):
        raise CredentialError(f"{urlsplit(str(impersonate)).hostname} gave no token") from None


def subject_token(source: Any, base: Path) -> str:
    """The token of the other identity: from a file, or from a URL of the machine."""
    if not isinstance(source, dict) or not ("file" in source or "url" in source):
        raise CredentialError(
            "workload identity from this credential_source is not supported; use file, url or command"
        )
    layout = source.get("format") or {}
    name = layout.get("subject_token_field_name", "access_token") if layout.get("type") == "json" else ""
    if "file" in source:
        try:
            text = (base / str(source["file"])).read_text()
        except (OSError, UnicodeDecodeError):
            raise CredentialError(f"the subject token file {source['file']} cannot be read") from None
        answer = _decoded(text.encode(), str(source["file"])) if name else {}
    else:
        url = str(source["url"])
        headers = {str(k): str(v) for k, v in (source.get("headers") or {}).items()}
        request = urllib.request.Request(_checked(url, local=True), None, headers)  # noqa: S310  # checked
        text = _send(request).decode("utf-8", "replace")
        answer = _decoded(text.encode(), url) if name else {}
    token = str(answer.get(name, "")) if name else text.strip()
    if not token:
        raise CredentialError("the subject token of the workload identity is empty")
    return token


# ---- Requests -------------------------------------------------------------------------------------------------------


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _checked(url: str, *, local: bool = False) -> str:
    """The URL, where a secret may be sent to it: https, or this machine. `local`: a read from the machine itself."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and (local or parts.hostname in ("127.0.0.1", "localhost"))):
        return url
    raise CredentialError("a token server must be an https:// address")


def _post_form(uri: str, fields: dict[str, str]) -> dict[str, Any]:
    data = urllib.parse.urlencode(fields).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return _ask(urllib.request.Request(_checked(uri), data, headers))  # noqa: S310  # checked


def _get(url: str, headers: dict[str, str]) -> dict[str, Any]:
    return _ask(urllib.request.Request(_checked(url, local=True), None, headers))  # noqa: S310  # checked


def _ask(request: urllib.request.Request) -> dict[str, Any]:
    return _decoded(_send(request), request.host)


def _send(request: urllib.request.Request) -> bytes:
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_S) as answer:  # noqa: S310  # checked by _checked
            body: bytes = answer.read(ANSWER_BYTES_MAX)
            return body
    except urllib.error.HTTPError as exc:
        exc.close()
        raise CredentialError(f"the token server {request.host} answered {exc.code}") from None
    except (OSError, ValueError) as exc:
        raise CredentialError(f"the token server {request.host} cannot be reached ({type(exc).__name__})") from None


def _decoded(body: bytes, source: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise CredentialError(f"{source} gave no JSON") from None


def _token_of(answer: dict[str, Any], source: str) -> Fetched:
    token, lifetime = answer.get("access_token"), answer.get("expires_in", TOKEN_S)
    if not isinstance(token, str) or not token or not isinstance(lifetime, int | float):
        raise CredentialError(f"{urlsplit(source).hostname or source} gave no token")
    return Fetched(token, wall_ns() + int(lifetime) * 1_000_000_000)
