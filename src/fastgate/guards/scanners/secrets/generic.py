"""Secrets of no known form: values given to telling names, `.env` bodies, headers, JSON web tokens, random strings.

What a name promises, the value must keep: entropy, signs of several kinds, no words, no reference to elsewhere.
"""

from __future__ import annotations

import json
import re

from fastgate.guards.rule import Check, Rule
from fastgate.guards.scanners import _checksums, _entropy, _sampling
from fastgate.guards.scanners._assigned import AFTER_VALUE, ASSIGNS, NAME_REST, SPAN
from fastgate.guards.scanners._formats import words

KEY_WORDS = (
    r"(?:api|access|auth|secret|private|encryption|signing|session|client|app|application|master|webhook|service|admin"
    r"|deploy|bearer|refresh|bot|account|shared|hmac|jwt|license|storage|license|crypto|cipher|aes)[_. -]?"
    r"(?:key|token|secret|credentials?)|secret|token|credentials?"
)
PW_NAMES = r"passw(?:or)?d|passphrase|passwort|contrase(?:n|\xc3\xb1)a|pwd|mot_?de_?passe"
KEY_VALUE = r"[A-Za-z0-9_+/~-]{16,200}={0,2}"
SHORT_VALUE = r"[^\s\"'`<>]{8,64}"

ENV_NAMES = (
    r"[A-Z][A-Z0-9_]{0,40}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PWD|PASS|PASSPHRASE|CREDENTIALS?|AUTH|SALT|KEY_ID)"
)
NOT_SECRET_NAMES = re.compile(
    rb"(?i)(?:public|foreign|primary|partition|sort|cache|unique|index|composite|natural|routing|object|bucket|dict"
    rb"|next_?page|page|continuation|csrf|xsrf|cancell?ation|anti_?forgery|pagination|cursor|next|stop|eos|bos|pad|unk"
    rb"|mask|special|sync|test|dummy|fake|mock|example|fixture|sample|change|action|idempoten[a-z]{1,3}|sequence"
    rb"|marker|client[_. -]?request)[_. -]?(?:key|token|secret|password)s?\W{0,4}$|secrets?[_. -]?managers?\W{0,4}$"
    rb"|(?:key|token|secret|password)[_. -]?(?:name|id|path|file|type|hash|digest|url|uri|ref|arn|length|len|size|field"
    rb"|prefix|suffix|label|hint|placeholder|column|count|index|regex|pattern|env|var|header|param|format|algorithm|alg"
    rb"|policy|version|store|ring|space|map|sha\d*)\W{0,4}$|sha(?:1|256|512)|md5|integrity|checksum|digest|fingerprint"
)
"""Names that end like a secret's and hold none."""

MIN_HEX = 24
"""Hex digits of a generic key: 96 bits. Shorter ones are versions, ids and table entries."""

NAME_SPAN = 96
"""Bytes in front of a value in which its name stands."""

DEV_PASSWORDS = frozenset(
    words(
        "password passwd passw0rd pass pwd secret admin root user guest test testing postgres mysql redis mongo "
        "mongodb rabbitmq example changeit changeme default 123456 1234 12345 12345678 foo bar baz foobar qwerty "
        "letmein hunter2 p4ssw0rd p@ssw0rd pw username none null empty mypassword hello world dev local demo sa "
        "token key string str string[] bytes text required optional hidden tiger scott"
    )
)
"""What samples and local set-ups use: no secret of anybody."""

METHOD = re.compile(rf"(?i)\.(?!\w{{0,24}}(?:{PW_NAMES}))\w{{1,32}}\($|split\w{{0,12}}\($".encode("latin-1"))
"""A method that is called on what the name means, or one that takes it apart: what it is given is no password. One that
has the name itself (`.withPassword(`) takes it."""

CODE_IN_VALUE = re.compile(
    r"[(){}\[\]\\]|\$[A-Za-z{(]|%[sd(]|::|->|=>|//|^[/.#:&?]|^--|[:.,;]$|^[a-z]+[._:-][a-z._:-]+$"
    r"|^[a-z][a-z.-]*:\d{2,5}$|^utf-?\d|^iso-?8859"
)
NOT_ENV_VALUE = re.compile(
    r"[$({<>})|*]|^[./~]|^\d+$|^https?:|\.(?:pem|key|json|crt|pub|txt|ya?ml)$|^[A-Z_]+$|^[a-z]{1,12}$"
)
"""References, expressions, paths, numbers, names of files and settings."""

BEARER = r"(?i:authorization[\"']?\s{0,2}[:=,]\s{0,2}[\"'f]{0,2}(?:bearer|token|apikey|api-key) {1,2})"

JWT_HEAD = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
JWT_EXAMPLE_SIGNATURE = "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
"""The token that every page about them shows (RFC 7519's debugger, secret "your-256-bit-secret")."""


def _name(text: bytes, start: int) -> bytes:
    """The line's text in front of a value, without the sign of assignment and quotes."""
    line = text[max(0, start - NAME_SPAN) : start]
    return line[line.rfind(b"\n") + 1 :].rstrip(b" \t\"'`=:>,([{|brfu@\\")


def _plain(text: bytes, start: int, end: int) -> str:
    return text[start:end].decode("utf-8", "replace")


def is_key(text: bytes, start: int, end: int) -> bool:
    """A value given to a key's name: as random as generated keys are, and not followed by more code."""
    if NOT_SECRET_NAMES.search(_name(text, start)) or text[end : end + 1] in (b"(", b".", b"[", b"{"):
        return False
    value = _plain(text, start, end).rstrip("=")
    if _entropy.is_hex(value) and len(value) < MIN_HEX:
        return False
    if _entropy.is_uuid(value):
        return text[start - 1 : start] in (b'"', b"'", b"=")
    return _entropy.looks_random(value, at_least=3.1)


def _kinds(value: str) -> int:
    tests = (str.islower, str.isupper, str.isdigit, lambda sign: not sign.isalnum())
    return sum(any(test(sign) for sign in value) for test in tests)


def is_password(text: bytes, start: int, end: int) -> bool:
    """A value given to a password's name: quoted, and made as people or generators make passwords."""
    line = text[max(0, start - NAME_SPAN) : start].rstrip(b"\"'`brfu")
    if NOT_SECRET_NAMES.search(_name(text, start)) or METHOD.search(line):
        return False
    value = _plain(text, start, end)
    if value.lower().strip("!.#1234567890") in DEV_PASSWORDS or _entropy.is_placeholder(value):
        return False
    if CODE_IN_VALUE.search(value):
        return False
    if _entropy.looks_random(value, at_least=2.8):
        return True
    return _kinds(value) >= 3 and any(sign.isdigit() or not sign.isalnum() for sign in value[1:])


def is_env_value(text: bytes, start: int, end: int) -> bool:
    """A value of a `.env` line: anything but samples, references, paths, numbers and switches."""
    value = _plain(text, start, end).strip("\"'")
    if value.lower() in DEV_PASSWORDS or _entropy.is_placeholder(value) or NOT_SECRET_NAMES.search(_name(text, start)):
        return False
    if re.search(
        r"[$({<>})|*]|^[./~]|^\d+$|^https?:|\.(?:pem|key|json|crt|pub|txt|ya?ml)$|^[A-Z_]+$|^[a-z]{1,12}$", value
    ):
        return False
    return len(set(value)) >= 5 and (_kinds(value) >= 2 or len(value) >= 12)


def is_jwt(text: bytes, start: int, end: int) -> bool:
    """A header that names its algorithm; not the token that pages show."""
    header, _, rest = _plain(text, start, end).partition(".")
    decoded = _checksums.base64_of(header)
    if decoded is None or rest.endswith(JWT_EXAMPLE_SIGNATURE):
        return False
    try:
        found = json.loads(decoded)
    except ValueError:
        return False
    return isinstance(found, dict) and "alg" in found


def is_basic(text: bytes, start: int, end: int) -> bool:
    """The base64 of `name:password`."""
    decoded = _checksums.base64_of(_plain(text, start, end))
    if decoded is None or b":" not in decoded or not all(31 < sign < 127 for sign in decoded):
        return False
    name, _, password = decoded.decode().partition(":")
    return len(name + password) > 3 and password.lower() not in DEV_PASSWORDS and not _entropy.is_placeholder(password)


def is_bearer(text: bytes, start: int, end: int) -> bool:
    return _entropy.looks_random(_plain(text, start, end), at_least=3.2)


def is_random_string(text: bytes, start: int, end: int) -> bool:
    """Quoted base64 of a key's length, with every kind of sign: no hash, no words, no path, no part of a list."""
    value = _plain(text, start, end)
    if (
        _entropy.is_hex(value)
        or _kinds(value) < 3
        or value.count("/") > 3
        or b"sha" in text[start - 12 : start].lower()
    ):
        return False
    return _entropy.bits_per_character(value) > 4.6 and _entropy.word_share(value) < 0.25


def _fires(value: str, frame: str, check: Check) -> str:
    for seed in range(500):
        text = frame.format(_sampling.sample(value, seed)).encode()
        start = frame.index("{}")
        if check(text, start, len(text) - len(frame) + start + 2):
            return text.decode()
    raise ValueError(f"no sample of {value}")


RULES = (
    Rule(
        id="generic-key",
        title="a random value that is given to the name of a key, token or secret",
        pattern=f"(?i:{KEY_WORDS}){NAME_REST}{ASSIGNS}[A-Za-z0-9_+/~-]{{16}}",
        exact=f"(?i:{KEY_WORDS}){NAME_REST}{ASSIGNS}(?P<secret>{KEY_VALUE}){AFTER_VALUE}",
        before=SPAN,
        after=224,
        check=is_key,
        severity="medium",
        hold=320,
        samples=(
            _fires("[A-Za-z0-9]{32}", 'client_secret = "{}"', is_key),
            _fires("[A-Za-z0-9_-]{40}", '"authToken": "{}",', is_key),
            _fires("[a-f0-9]{48}", "signing-key: {}", is_key),
        ),
        clean=('api_key = os.environ["SERVICE_API_KEY"]', "next_page_token = response.next_page_token_value"),
    ),
    Rule(
        id="generic-password",
        title="a value that is given to the name of a password",
        pattern=f"(?i:{PW_NAMES}){NAME_REST}[\"'`\\])]{{0,3}}\\s{{0,3}}(?:=>|:=|[=:>,(])\\s{{0,3}}[brfu]?[\"'`][^\\s\"'`<>]{{8}}",
        exact=f"(?i:{PW_NAMES}){NAME_REST}[\"'`\\])]{{0,3}}\\s{{0,3}}(?:=>|:=|[=:>,(])\\s{{0,3}}[brfu]?[\"'`]"
        f"(?P<secret>{SHORT_VALUE})[\"'`]",
        before=SPAN,
        after=72,
        check=is_password,
        severity="medium",
        hold=192,
        samples=('password = "' + "Tr0ub4dor" + '&3x"', "db_passwd: '" + "vK9#mQ2" + "!tLx4'"),
        clean=('password = "password123"', 'password = "Enter your password"', 'password: "${DB_PASSWORD}"'),
    ),
    Rule(
        id="env-file-secret",
        title="a secret of an environment file",
        pattern=rf"^[ \t]*(?:\d{{1,6}}(?:\xe2\x86\x92|\t))?(?:export |set |ENV )?{ENV_NAMES}=[\"']?[^\s\"'#]{{8}}",
        exact=rf"(?m)^[ \t]*(?:\d{{1,6}}(?:\xe2\x86\x92|\t))?(?:export |set |ENV )?{ENV_NAMES}="
        r"[\"']?(?P<secret>[^\s\"'#]{8,400})[\"']?[ \t]*(?:#.*)?$",
        lines=True,
        before=96,
        after=420,
        check=is_env_value,
        severity="medium",
        hold=512,
        samples=("export DB_PASSWORD=" + "correct-horse-" + "battery9", "SESSION_SECRET=" + "q8Zr5tWm" + "2Lx7Vb"),
        clean=("API_KEY=$OTHER_KEY", "SSH_KEY=~/.ssh/id_rsa.pub", "DB_PASSWORD=changeme123"),
    ),
    Rule(
        id="authorization-header",
        title="a bearer token in a header",
        pattern=BEARER + r"[A-Za-z0-9_.~+/=-]{16}",
        exact=BEARER + r"(?P<secret>[A-Za-z0-9_.~+/=-]{16,480})",
        check=is_bearer,
        hold=560,
        samples=(_fires("[A-Za-z0-9]{40}", "Authorization: Bearer {}", is_bearer),),
        clean=("Authorization: Bearer YOUR_ACCESS_TOKEN_HERE", "Authorization: Bearer <token-of-the-service>"),
    ),
    Rule(
        id="basic-authorization",
        title="a name and password in a header",
        pattern=r"(?i:authorization[\"']?\s{0,2}[:=,]\s{0,2}[\"']{0,2}basic {1,2})[A-Za-z0-9+/]{8}",
        exact=r"(?i:authorization[\"']?\s{0,2}[:=,]\s{0,2}[\"']{0,2}basic {1,2})(?P<secret>[A-Za-z0-9+/]{8,200}={0,2})",
        check=is_basic,
        hold=256,
        samples=("Authorization: Basic " + "ZGVwbG95Om" + "41a1E5eldtMkx4",),
        clean=("Authorization: Basic cm9vdDpyb290",),
    ),
    Rule(
        id="key-header",
        title="a key in a header",
        pattern=r"(?i:x-[a-z-]{0,24}(?:key|token|secret)[\"']?\s{0,2}[:=,]\s{0,2}[\"']?)[A-Za-z0-9_.~+/=-]{16}",
        exact=r"(?i:x-[a-z-]{0,24}(?:key|token|secret)[\"']?\s{0,2}[:=,]\s{0,2}[\"']?)(?P<secret>[A-Za-z0-9_.~+/=-]{16,300})",
        check=is_bearer,
        severity="medium",
        hold=384,
        samples=(_fires("[A-Za-z0-9]{32}", "X-Api-Key: {}", is_bearer),),
        clean=("X-Api-Key: your-api-key-goes-here",),
    ),
    Rule(
        id="curl-user",
        title="a name and password on a command line",
        pattern=r"curl [^\n]{0,120}(?:-u|--user)[ =][\"']?[A-Za-z0-9_.@-]{1,40}:[^\s\"'$<]{4}",
        exact=r"curl [^\n]{0,200}(?:-u|--user)[ =][\"']?[A-Za-z0-9_.@-]{1,64}:(?P<secret>[^\s\"'$<]{4,128})",
        check=is_env_value,
        severity="medium",
        hold=320,
        samples=("curl -s -u deploy:" + "q8Zr5t" + "Wm2Lx https://ci.example.com/job",),
        clean=("curl -u admin:password https://localhost", "curl -u user:$TOKEN https://example.com"),
    ),
    Rule(
        id="json-web-token",
        title="a JSON web token",
        pattern=r"eyJ[A-Za-z0-9_-]{12,200}\.eyJ[A-Za-z0-9_-]{10}",
        exact=r"(?<![A-Za-z0-9_-])(?P<secret>eyJ[A-Za-z0-9_-]{12,400}\.eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{20,700})",
        before=512,
        after=2048,
        check=is_jwt,
        severity="medium",
        hold=2048,
        samples=(
            ".".join((JWT_HEAD, "eyJzdWIiOiI0MjE3IiwiaWF0IjoxNzAwMDAwMDAwfQ", _sampling.sample("[A-Za-z0-9_-]{43}"))),
        ),
        clean=(f"{JWT_HEAD}.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{JWT_EXAMPLE_SIGNATURE}",),
    ),
    Rule(
        id="random-string",
        title="a quoted string that looks like a generated key",
        pattern=r"(?:= |: )[\"'`][A-Za-z0-9+/_-]{40}",
        exact=r"(?:= |: )[\"'`](?P<secret>[A-Za-z0-9+/_-]{40,88}={0,2})[\"'`]",
        before=96,
        after=96,
        check=is_random_string,
        severity="low",
        hold=96,
        samples=(_fires("[A-Za-z0-9+/]{48}", 'blob = "{}"', is_random_string),),
        clean=(
            'sum = "da39a3ee5e6b4b0d3255bfef95601890afd80709"',
            'name = "sha512-not_a_key_but_a_long_identifier_of_words"',
        ),
    ),
)
