"""Labelled samples that are made here: keys in files, people's data, encodings. Nothing of it comes from the rules.

Formats are facts, written down once more from the vendors' pages and gitleaks' list of formats (MIT) and grown with
Python's own generator; people's data comes from Faker. Seeds are fixed, so two runs judge the same.
"""

from __future__ import annotations

import base64
import codecs
import random
import string
import zlib
from collections.abc import Callable, Iterator

from faker import Faker

UPPER, LOWER, DIGITS = string.ascii_uppercase, string.ascii_lowercase, string.digits
ALNUM = UPPER + LOWER + DIGITS
HEX = "0123456789abcdef"
URL = ALNUM + "-_"
B64 = ALNUM + "+/"
B32 = UPPER + "234567"

SEED = 20_261_127

PROVIDERS: tuple[tuple[str, str, int, str], ...] = (
    ("AKIA", B32, 16, ""),
    ("ASIA", B32, 16, ""),
    ("AIza", URL, 35, ""),
    ("GOCSPX-", URL, 28, ""),
    ("ya29.", URL, 120, ""),
    ("glpat-", URL, 20, ""),
    ("gldt-", URL, 20, ""),
    ("glrt-", URL, 20, ""),
    ("glptt-", HEX, 40, ""),
    ("dop_v1_", HEX, 64, ""),
    ("doo_v1_", HEX, 64, ""),
    ("sk_live_", ALNUM, 24, ""),
    ("rk_live_", ALNUM, 24, ""),
    ("xoxb-", DIGITS, 12, "-{d12}-{a24}"),
    ("xapp-1-A", UPPER + DIGITS, 10, "-{d13}-{h64}"),
    ("SG.", URL, 22, ".{u43}"),
    ("key-", HEX, 32, ""),
    ("xkeysib-", HEX, 64, "-{a16}"),
    ("sk-ant-api03-", URL, 93, "AA"),
    ("sk-or-v1-", HEX, 64, ""),
    ("gsk_", ALNUM, 52, ""),
    ("pplx-", ALNUM, 48, ""),
    ("hf_", ALNUM, 34, ""),
    ("r8_", ALNUM, 37, ""),
    ("xai-", ALNUM, 80, ""),
    ("nvapi-", URL, 64, ""),
    ("tvly-", ALNUM, 32, ""),
    ("lsv2_pt_", HEX, 32, "_{h10}"),
    ("rubygems_", HEX, 48, ""),
    ("pypi-AgEIcHlwaS5vcmc", URL, 120, ""),
    ("dckr_pat_", URL, 27, ""),
    ("lin_api_", ALNUM, 40, ""),
    ("ntn_", DIGITS, 11, "{a35}"),
    ("figd_", URL, 40, ""),
    ("PMAK-", HEX, 24, "-{h34}"),
    ("shpat_", HEX, 32, ""),
    ("shpss_", HEX, 32, ""),
    ("sq0csp-", URL, 43, ""),
    ("EZAK", ALNUM, 54, ""),
    ("duffel_live_", URL, 43, ""),
    ("dp.pt.", ALNUM, 43, ""),
    ("hvs.", URL, 95, ""),
    ("pul-", HEX, 40, ""),
    ("dapi", HEX, 32, ""),
    ("pscale_tkn_", URL, 43, ""),
    ("sbp_", HEX, 40, ""),
    ("glsa_", ALNUM, 32, "_{h8}"),
    ("sntryu_", HEX, 64, ""),
    ("NRAK-", UPPER + DIGITS, 27, ""),
    ("dt0c01.", UPPER + DIGITS, 24, ".{U64}"),
    ("phx_", ALNUM, 43, ""),
    ("ATCTT3xFfG", URL, 180, "={H8}"),
    ("CCIPAT_", ALNUM, 22, "_{h40}"),
    ("squ_", HEX, 40, ""),
    ("sgp_", HEX, 40, ""),
    ("rdme_", LOWER + DIGITS, 70, ""),
    ("tfp_", ALNUM, 59, ""),
    ("fio-u-", URL, 64, ""),
    ("AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58, ""),
    ("A3-", UPPER + DIGITS, 6, "-{U11}-{U5}-{U5}-{U5}"),
    ("LTAI", ALNUM, 20, ""),
    ("EAACEdEose0cBA", ALNUM, 120, ""),
    ("AVNS_", URL, 19, ""),
    ("CFPAT-", URL, 43, ""),
    ("sha256~", URL, 43, ""),
    ("re_", ALNUM, 8, "_{a24}"),
    ("mlsn.", HEX, 64, ""),
    ("pat", ALNUM, 14, ".{h64}"),
    ("rnd_", ALNUM, 32, ""),
    ("nfp_", ALNUM, 36, ""),
)
"""Head, alphabet and length of the random part, tail; `{h10}` in a tail are ten more hex digits, and so on."""

SUMMED = ("ghp_", "gho_", "ghs_", "npm_")
"""Thirty signs and the CRC-32 of them in base 62."""

_KINDS = {"d": DIGITS, "h": HEX, "H": HEX.upper(), "a": ALNUM, "u": URL, "U": UPPER + DIGITS}

FRAMES = (
    'API_TOKEN="{}"',
    "export SERVICE_KEY={}",
    'token: "{}"',
    '{{"auth": {{"key": "{}"}}}}',
    "const client = new Client('{}');",
    "curl -H 'Authorization: Bearer {}' https://api.internal.net/v1",
    'client = Client(api_key="{}")',
    '<setting name="token">{}</setting>',
    "# the old one was {} and still works",
    "{}",
)

NAMES = (
    "billing_api_key",
    "SESSION_SIGNING_KEY",
    "clientSecret",
    "webhook-secret",
    "deploy_token",
    "AUTH_SECRET",
    "encryptionKey",
    "refresh_token",
    "hmac_secret",
    "APP_SECRET",
    "service_token",
    "private_key",
    "masterKey",
    "storage_access_key",
    "JWT_SECRET",
)
ASSIGNMENTS = ('{} = "{}"', "{}={}", '"{}": "{}",', "{}: {}", "{}: '{}'", 'set("{}", "{}")', "--{}={}", "{} := `{}`")


def draw(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def _tail(rng: random.Random, tail: str) -> str:
    out = ""
    while tail:
        if tail[0] == "{":
            inside, _, tail = tail[1:].partition("}")
            out += draw(rng, _KINDS[inside[0]], int(inside[1:]))
        else:
            out, tail = out + tail[0], tail[1:]
    return out


def _base62(number: int) -> str:
    digits = DIGITS + UPPER + LOWER
    out = ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        out = digits[rest] + out
    return out


def provider_keys(count: int) -> Iterator[str]:
    """Lines that hold one key of a provider each."""
    rng = random.Random(SEED)
    for _ in range(count):
        for head, alphabet, length, tail in PROVIDERS:
            yield rng.choice(FRAMES).format(head + draw(rng, alphabet, length) + _tail(rng, tail))
        for head in SUMMED:
            body = draw(rng, ALNUM, 30)
            yield rng.choice(FRAMES).format(head + body + _base62(zlib.crc32(body.encode())))


def generic_secrets(count: int) -> Iterator[str]:
    """Lines that give a random value to a telling name, and passwords in connection strings."""
    rng = random.Random(SEED + 1)
    for _ in range(count):
        for name in NAMES:
            alphabet, length = rng.choice(((ALNUM, 32), (HEX, 40), (URL, 43), (B64, 44), (ALNUM, 24), (HEX, 64)))
            yield rng.choice(ASSIGNMENTS).format(name, draw(rng, alphabet, length))
        scheme = rng.choice(("postgres", "mysql", "mongodb+srv", "redis", "amqp", "https"))
        yield f"{scheme}://svc_{draw(rng, LOWER, 4)}:{draw(rng, ALNUM, rng.choice((10, 14, 20)))}@db-3.corp.net/app"


def hard_negatives(count: int) -> Iterator[str]:
    """Lines that look like secrets and are none: ids, hashes, versions, samples, references."""
    rng = random.Random(SEED + 2)
    for _ in range(count):
        uuid = "-".join(draw(rng, HEX, size) for size in (8, 4, 4, 4, 12))
        yield f'request_id = "{uuid}"'
        yield f"commit {draw(rng, HEX, 40)}"
        yield f'"integrity": "sha512-{base64.b64encode(rng.randbytes(64)).decode()}"'
        yield f"sha256:{draw(rng, HEX, 64)}"
        yield f"    --hash=sha256:{draw(rng, HEX, 64)} \\"
        yield f'etag: W/"{draw(rng, HEX, 32)}"'
        yield f"https://cdn.example.com/assets/main.{draw(rng, HEX, 20)}.js"
        yield f'color: "#{draw(rng, HEX, 6)}"; id="{draw(rng, LOWER, 12)}"'
        yield f"data:image/png;base64,{base64.b64encode(rng.randbytes(200)).decode()}"
        yield 'api_key = os.environ["BILLING_API_KEY"]'
        yield 'password = getpass.getpass("Password: ")'
        yield "AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7EXAMPLE"
        yield (
            'token = "'
            + rng.choice(("your-token-here", "<token>", "xxxxxxxxxxxxxxxxxxxxxxxx", "${TOKEN}", "changeme"))
            + '"'
        )
        yield f'cache_key = f"user:{{user_id}}:{draw(rng, LOWER, 8)}"'
        yield f"postgres://user:password@localhost:5432/test_{draw(rng, LOWER, 4)}"
        yield f'public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{draw(rng, B64, 43)} dev@host"'


def people(count: int) -> Iterator[str]:
    """Lines with somebody's data, of several countries."""
    made: list[Callable[[], str]] = []
    for locale in ("en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "en_GB"):
        fake = Faker(locale)
        fake.seed_instance(SEED)
        made += [
            lambda f=fake: f"contact {f.free_email()}",
            lambda f=fake: f"IBAN {f.iban()}",
            lambda f=fake: f"card number {f.credit_card_number('visa16')}",
            lambda f=fake: f"card: {f.credit_card_number('mastercard')}",
            lambda f=fake: f"date of birth: {f.date_of_birth()}",
        ]
    america = Faker("en_US")
    america.seed_instance(SEED)
    made += [
        lambda: f"{america.building_number()} Oak Street, {america.city()}, {america.state_abbr()} {america.zipcode()}",
        lambda: f"SSN {america.ssn()}",
        lambda: f"host {america.ipv4_public()} answered",
    ]
    for _ in range(count):
        for make in made:
            yield make()


def identifiers(count: int) -> Iterator[str]:
    """Lines with national identifiers, of Faker's providers that compute the country's check digits.

    Not India (Faker computes Luhn where UIDAI wants Verhoeff), Korea and Bulgaria (no check digit), Britain (a prefix
    that is never given out)."""
    for locale, word, method in (
        ("nl_NL", "BSN", "ssn"),
        ("pl_PL", "PESEL", "pesel"),
        ("it_IT", "Codice fiscale", "ssn"),
        ("es_ES", "DNI", "nif"),
        ("fi_FI", "hetu", "ssn"),
        ("no_NO", "fødselsnummer", "ssn"),
        ("sv_SE", "personnummer", "ssn"),
        ("pt_BR", "CPF", "cpf"),
        ("zh_CN", "身份证号", "ssn"),
        ("de_CH", "AHV-Nummer", "ssn"),
        ("et_EE", "isikukood", "ssn"),
        ("ro_RO", "CNP", "ssn"),
        ("hr_HR", "OIB", "ssn"),
        ("en_CA", "social insurance number", "ssn"),
        ("tr_TR", "TC kimlik no", "ssn"),
        ("fr_FR", "numéro de sécurité sociale", "ssn"),
        ("es_CL", "RUT", "rut"),
        ("th_TH", "Thai ID", "ssn"),
    ):
        fake = Faker(locale)
        fake.seed_instance(SEED)
        for _ in range(count):
            if hasattr(fake, method):
                yield f"{word}: {getattr(fake, method)()}"


def encodings(texts: list[str]) -> Iterator[str]:
    """Each text in base64, hexadecimal, rot13 and percent encoding."""
    for text in texts:
        raw = text.encode()
        yield f"note: {base64.b64encode(raw).decode()}"
        yield raw.hex()
        yield codecs.encode(text, "rot13")
        yield "".join(f"%{byte:02X}" for byte in raw)
