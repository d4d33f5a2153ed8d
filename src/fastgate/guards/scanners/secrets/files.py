"""Private keys, connection strings and the credential files of tools: secrets known by what stands around them."""

from __future__ import annotations

import re

from fastgate.guards.rule import Rule
from fastgate.guards.scanners import _checksums, _entropy, _sampling
from fastgate.guards.scanners.secrets.generic import DEV_PASSWORDS, is_basic, is_env_value

KEY_BYTES = 16_384
"""The longest private key in PEM: RSA with 16,384 bits has 12.7 KB."""

PEM = r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----"
PEM_END = r"-----END[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----"
ENCODED_PEM = r"(?:LS0tLS1CRUdJTi|0tLS0tQkVHSU4g|tLS0tLUJFR0lOI)[A-Za-z0-9+/]{100,12000}={0,2}"
"""Base64 of `-----BEGIN `, at each of the three places in a group of three bytes."""

_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]{40}")


def is_pem_body(text: bytes, start: int, end: int) -> bool:
    """Behind the heading stands key material, not a sentence about keys."""
    body = text[start:end]
    lines = _BASE64_LINE.findall(body)
    return len(lines) >= 1 and _entropy.bits_per_character(b"".join(lines).decode()) > 3.5


def is_encoded_pem(text: bytes, start: int, end: int) -> bool:
    """Decoded, it is a private key and no certificate."""
    value = text[start:end].decode()
    for skip in range(3):
        decoded = _checksums.base64_of(value[skip : skip + (len(value) - skip) // 4 * 4])
        if decoded is not None and b"PRIVATE KEY" in decoded[:80]:
            return True
    return False


def is_url_password(text: bytes, start: int, end: int) -> bool:
    """No sample, no reference, not what every local set-up uses."""
    value = text[start:end].decode("utf-8", "replace")
    if value.lower() in DEV_PASSWORDS or _entropy.is_placeholder(value) or len(set(value)) < 4:
        return False
    if re.search(r"[{}<>$()\[\]|*\\]|^%[sdA-Z(]|^:", value):
        return False
    head = text[max(0, start - 96) : start - 1]
    name = head[head.rfind(b"//") + 2 :].decode("utf-8", "replace")
    host = text[end + 1 : end + 40].decode("utf-8", "replace").lower()
    local = host.startswith(("localhost", "127.", "[::1]", "0.0.0.0", "example.", "db:", "host", "postgres", "redis"))
    if name.lower() == value.lower() or (local and value.isalpha() and value.islower()):
        return False
    return not re.match(r"(?:[\w.-]*\.)?example\.(?:com|org|net)", host) or _entropy.looks_random(value, 2.8)


def is_netrc(text: bytes, start: int, end: int) -> bool:
    """As in an environment file, in quotes or without; not on a documentation's host, and no string that code has put
    quotes into."""
    if text[start : start + 1] in (b'"', b"'") and text[end - 1 : end] == text[start : start + 1]:
        start, end = start + 1, end - 1
    return (
        text[start : start + 1] not in (b"\\", b'"', b"'")
        and b"domain.com" not in text[max(0, start - 96) : start]
        and is_env_value(text, start, end)
    )


def is_private_number(text: bytes, start: int, end: int) -> bool:
    """The private part of a JSON web key: the same object names a key type."""
    around = text[max(0, start - 1500) : end + 1500]
    return b'"kty"' in around and _entropy.bits_per_character(text[start:end].decode()) > 3.5


def _pem(kind: str) -> str:
    body = "\n".join(_sampling.sample("[A-Za-z0-9+/]{64}", f"{kind}{line}") for line in range(6))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"


def _encoded(kind: str) -> str:
    import base64

    return base64.b64encode(_pem(kind).encode()).decode()


RULES = (
    Rule(
        id="private-key",
        title="a private key",
        pattern=r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY",
        exact=rf"(?s)(?P<secret>{PEM}(?:(?!-----BEGIN).){{40,{KEY_BYTES}}}?(?:{PEM_END}|\Z))",
        before=72,
        after=KEY_BYTES,
        check=is_pem_body,
        severity="critical",
        hold=KEY_BYTES,
        samples=(_pem("RSA " + "PRIVATE KEY"), _pem("PGP " + "PRIVATE KEY BLOCK"), _pem("PRIVATE " + "KEY")),
        clean=("A file that begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----",),
    ),
    Rule(
        id="encoded-private-key",
        title="a private key in base64",
        pattern=r"(?:LS0tLS1CRUdJTi|0tLS0tQkVHSU4g|tLS0tLUJFR0lOI)[A-Za-z0-9+/]{60}",
        exact=rf"(?P<secret>{ENCODED_PEM})",
        before=96,
        after=12_288,
        check=is_encoded_pem,
        severity="critical",
        hold=12_288,
        samples=(_encoded("PRIVATE " + "KEY"),),
        clean=(_encoded("CERTIFICATE"),),
    ),
    Rule(
        id="openssh-key-body",
        title="the body of an OpenSSH private key",
        pattern=r"b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/]{40}",
        exact=r"(?s)(?P<secret>b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/]{40,70}(?:[^A-Za-z0-9+/]{1,12}[A-Za-z0-9+/=]{8,70}){0,200})",
        before=96,
        after=KEY_BYTES,
        check=is_pem_body,
        severity="critical",
        hold=KEY_BYTES,
        samples=("b3BlbnNzaC1rZXktdjE" + _sampling.sample("[A-Za-z0-9+/]{51}"),),
        clean=("b3BlbnNzaC1rZXktdjE is how they begin",),
    ),
    Rule(
        id="putty-key",
        title="a PuTTY private key",
        pattern=r"Private-Lines: \d{1,3}\s{1,2}[A-Za-z0-9+/]{40}",
        exact=r"Private-Lines: \d{1,3}\s{1,2}(?P<secret>[A-Za-z0-9+/]{40,70}(?:\s{1,2}[A-Za-z0-9+/=]{8,70}){0,100})",
        before=96,
        after=KEY_BYTES,
        check=is_pem_body,
        severity="critical",
        hold=KEY_BYTES,
        samples=("Private-Lines: 1\n" + _sampling.sample("[A-Za-z0-9+/]{64}") + "\n",),
        clean=("Private-Lines: 14\nsee the manual",),
    ),
    Rule(
        id="json-web-key",
        title="the private part of a JSON web key",
        pattern=r'"d"\s{0,2}:\s{0,2}"[A-Za-z0-9_-]{40}',
        exact=r'"d"\s{0,2}:\s{0,2}"(?P<secret>[A-Za-z0-9_-]{40,700})"',
        after=704,
        check=is_private_number,
        severity="critical",
        hold=768,
        samples=('{"kty": "EC", "d": "' + _sampling.sample("[A-Za-z0-9_-]{43}") + '"}',),
        clean=('{"d": "' + _sampling.sample("[A-Za-z0-9_-]{43}") + '"}',),
    ),
    Rule(
        id="url-password",
        title="a password in a connection string or URL",
        pattern=r"://[^\s:/@\"'<>]{0,64}:[^\s/@\"'<>]{3,64}@",
        exact=r"(?<![\w.])[a-z][a-z0-9+.-]{1,32}://[^\s:/@\"'<>]{0,128}:(?P<secret>[^\s/@\"'<>]{3,128})@(?=[\w\[%$.-])",
        before=320,
        after=64,
        check=is_url_password,
        hold=400,
        samples=(
            "DATABASE_URL=postgresql://app:" + "q8Zr5tWm" + "@db.internal:5432/app",
            "amqps://svc:" + "Vb7x-L2m" + "W5t@queue-3.prod.net",
            "https://bot:" + "9fK2mQ7xZr" + "@git.corp.net/x.git",
        ),
        clean=(
            "postgres://user:password@localhost/app",
            "postgresql://{user}:{password}@{host}/db",
            "https://host:8080/@scope/package",
            "redis://:$REDIS_PASSWORD@cache:6379",
        ),
    ),
    Rule(
        id="connection-password",
        title="the password of a connection string",
        pattern=r"(?i:;\s{0,2}(?:password|pwd)\s{0,2}=\s{0,2})[^;\"'\s]{4}",
        exact=r"(?i:;\s{0,2}(?:password|pwd)\s{0,2}=\s{0,2})(?P<secret>[^;\"'\s]{4,128})",
        check=is_env_value,
        hold=192,
        samples=("Server=db1;Database=app;User Id=svc;Password=" + "q8Zr5t" + "Wm2Lx;",),
        clean=("Server=db1;User Id=svc;Password={password};", "Server=.;Pwd=<your password>;"),
    ),
    Rule(
        id="registry-auth",
        title="a package registry's token",
        pattern=r":_(?:authToken|auth|password)\s{0,2}=\s{0,2}[\"']?[A-Za-z0-9+/=_.-]{8}",
        exact=r":_(?:authToken|auth|password)\s{0,2}=\s{0,2}[\"']?(?P<secret>[A-Za-z0-9+/=_.-]{8,600})",
        after=640,
        check=is_env_value,
        hold=704,
        samples=("//registry.corp.net/:_authToken=" + "q8Zr5tWm2Lx7" + "VbN4pYc8",),
        clean=("//registry.corp.net/:_authToken=${NPM_TOKEN}",),
    ),
    Rule(
        id="netrc-password",
        title="the password of a .netrc line",
        pattern=r"machine\s{1,4}[\w.-]{1,100}\s{1,8}login\s{1,4}[^\s]{1,60}\s{1,8}password\s{1,4}[^\s]{4}",
        exact=r"machine\s{1,4}[\w.-]{1,100}\s{1,8}login\s{1,4}[^\s]{1,100}\s{1,8}password\s{1,4}(?P<secret>[^\s]{4,200})",
        before=320,
        check=is_netrc,
        hold=512,
        samples=(
            "machine git.corp.net login bot password " + "q8Zr5t" + "Wm2Lx",
            "machine git.corp.net login bot password '" + "q8Zr5t" + "Wm2Lx'",
        ),
        clean=("machine git.corp.net login bot password <password>", 'machine h login bot password "%s"'),
    ),
    Rule(
        id="container-registry-auth",
        title="a container registry's credentials",
        pattern=r'"auth"\s{0,3}:\s{0,3}"[A-Za-z0-9+/]{12}',
        exact=r'"auth"\s{0,3}:\s{0,3}"(?P<secret>[A-Za-z0-9+/]{12,400}={0,2})"',
        check=is_basic,
        hold=448,
        samples=('{"auths": {"r.corp.net": {"auth": "' + "ZGVwbG95Om" + '41a1E5eldtMkx4"}}}',),
        clean=('{"auth": "oauth2authorization"}',),
    ),
    Rule(
        id="password-hash",
        title="the hash of a password",
        pattern=r"\$(?:1|5|6|y|2[aby]|argon2id?|pbkdf2-sha\d{3}|scrypt)\$[./A-Za-z0-9$=,+-]{24}",
        exact=r"(?P<secret>\$(?:1|5|6|y|2[aby]|argon2id?|pbkdf2-sha\d{3}|scrypt)\$[./A-Za-z0-9$=,+-]{24,200})",
        severity="low",
        hold=224,
        samples=("root:$6$" + "rounds$" + _sampling.sample("[./A-Za-z0-9]{60}"),),
        clean=("it begins with $2b$ and the cost",),
    ),
)
