"""Personal data that is the same everywhere: mail, telephone, cards, bank accounts, addresses, birth dates, networks.

Names of people are left to adapters: no pattern tells one from a variable. National identifiers have their own file.
E-mail and network addresses stand in every source tree, so they are of low severity.
"""

from __future__ import annotations

import ipaddress
import re

from fastgate.guards.rule import Rule, Scanner
from fastgate.guards.scanners._checksums import luhn, mod97, weighted
from fastgate.guards.scanners._formats import words
from fastgate.guards.scanners._phrases import any_of

AROUND = 64
"""Bytes in front of a number in which a word may say what it is."""

IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in words(
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 "
        "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
        "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 "
        "SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
    )
}
"""Length by country: the IBAN registry of SWIFT, ISO 13616."""

CARD_RANGES = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:2[2-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3"
    r"(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|(?:50|5[6-9]|6[37])\d{10,17}"
)
"""Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro (ISO/IEC 7812 ranges)."""

TEST_CARDS = frozenset(
    words(
        "4111111111111111 4242424242424242 4000056655665556 4012888888881881 5555555555554444 5105105105105100 "
        "2223003122003222 378282246310005 371449635398431 6011111111111117 6011000990139424 3056930009020004 "
        "30569309025904 38520000023237 3530111333300000 3566002020360505 4000000000000002 4000000000003220 "
        "6200000000000005 4222222222222 2223000048400011 5200828282828210"
    )
)
"""Numbers that payment providers publish for tests."""

NO_PERSON = re.compile(
    rb"(?i)@(?:[\w-]+\.)*(?:example\.\w+|test|invalid|localhost|example|domain\.(?:com|tld)|email\.com"
    rb"|host\.com|acme\.\w+"
    rb"|company\.com|users\.noreply\.github\.com|yourdomain\.\w+|foo\.\w+|bar\.\w+)$"
    rb"|^(?:no-?reply|git|root|admin|user|name|you|me|foo|support|info|hello|security|postmaster|webmaster)@"
    rb"|\.(?:py|js|ts|md|png|jpe?g|svg|gif|json|html?|css|scss|txt|yml|yaml|toml|lock|sh|rs|go|java|cpp|hpp|sql|map)$"
)
CARD_NAMES = "card|visa|mastercard|amex|american express|karte|carte|tarjeta|carta"
CARD_WORDS = re.compile(f"(?i){CARD_NAMES}".encode())
PHONE_WORDS = re.compile(rb"(?i)tel|phone|mobile|cell|call|fax|whats ?app|\bsms\b|handy|ruf|t.{1,2}l.{1,2}fon|contact")
COUNTRY_CODES = frozenset(
    words(
        "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 "
        "66 81 82 84 86 90 91 92 93 94 95 98 212 213 216 218 220 221 225 233 234 254 255 256 351 352 353 354 "
        "355 356 357 358 359 370 371 372 373 374 375 376 377 380 381 382 385 386 387 389 420 421 423 852 853 "
        "855 856 880 886 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 992 993 994 995 "
        "996 998"
    )
)


def _digits(text: bytes, start: int, end: int) -> str:
    return re.sub(r"\D", "", text[start:end].decode("ascii", "replace"))


def is_mail(text: bytes, start: int, end: int) -> bool:
    """An address that may be somebody's: no sample domain, no file, no address of a role."""
    return NO_PERSON.search(text[start:end]) is None


def is_card(text: bytes, start: int, end: int) -> bool:
    """Luhn and an issuer's range; grouped as on a card, or behind a word for one."""
    raw = text[start:end].decode("ascii")
    number = _digits(text, start, end)
    if number in TEST_CARDS or len(set(number)) < 4 or not CARD_RANGES.fullmatch(number) or not luhn(number):
        return False
    grouped = re.fullmatch(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}", raw) is not None
    return grouped or CARD_WORDS.search(text[max(0, start - AROUND) : start]) is not None


def is_iban(text: bytes, start: int, end: int) -> bool:
    """The country's length and the remainder 1 modulo 97."""
    number = text[start:end].decode("ascii").replace(" ", "")
    if IBAN_LENGTHS.get(number[:2]) != len(number):
        return False
    return mod97(number[4:] + number[:4]) == 1


def is_phone(text: bytes, start: int, end: int) -> bool:
    """A country's code and eight to fifteen digits; written in groups, or behind a word for it."""
    number = _digits(text, start, end)
    if not 8 <= len(number) <= 15 or len(set(number)) < 4 or "5550" in number or "123456" in number:
        return False
    if not any(number.startswith(code) for code in COUNTRY_CODES):
        return False
    if PHONE_WORDS.search(text[max(0, start - AROUND) : start]):
        return True
    return len(re.findall(rb"[0-9][ .\-()]{1,2}[0-9]", text[start:end])) >= 2


def is_national_phone(text: bytes, start: int, end: int) -> bool:
    """North America's plan: no 0 or 1 first, nothing of the numbers kept for fiction."""
    number = _digits(text, start, end)[-10:]
    return number[3:6] != "555" and number[1:3] != "11" and len(set(number)) > 3 and number[4:6] != "11"


def is_public_address(text: bytes, start: int, end: int) -> bool:
    """A network address that is somebody's: none that is private, kept for documentation or a version number."""
    try:
        address = ipaddress.ip_address(text[start:end].decode("ascii"))
    except ValueError:
        return False
    if not address.is_global or address.is_multicast:
        return False
    if re.search(rb"(?i)version|ver\W|\bv$|release|\bsection|oid", text[max(0, start - 24) : start]):
        return False
    return address.version == 6 or any(len(part) > 1 for part in str(address).split("."))


def is_routing_number(text: bytes, start: int, end: int) -> bool:
    """American Bankers Association: weights 3, 7, 1."""
    number = _digits(text, start, end)
    return int(number[:2]) in {*range(1, 13), *range(21, 33), *range(61, 73), 80} and (
        weighted(number, (3, 7, 1) * 3) % 10 == 0 and len(set(number)) > 2
    )


def is_imei(text: bytes, start: int, end: int) -> bool:
    number = _digits(text, start, end)
    return luhn(number) and len(set(number)) > 3


_VIN = dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)
)


def is_vin(text: bytes, start: int, end: int) -> bool:
    """ISO 3779 with the check digit that North America asks for."""
    number = text[start:end].decode("ascii")
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(
        _VIN.get(sign, 0) * w if sign.isalpha() else int(sign) * w for sign, w in zip(number, weights, strict=True)
    )
    return "0123456789X"[total % 11] == number[8] and len(set(number)) > 5


PUBLISHED_SSN = frozenset({b"123-45-6789", b"078-05-1120", b"111-22-3333", b"219-09-9999"})
"""On wallets, in advertisements and in every manual."""

DATE = (
    r"(?:[0-3]?\d[./\-][01]?\d[./\-](?:19|20)\d\d|(?:19|20)\d\d[./\-][01]?\d[./\-][0-3]?\d"
    r"|(?:[0-3]?\d\.? )?(?:jan|feb|m.{1,2}r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])\w{0,7}\.?"
    r" (?:[0-3]?\d,? )?(?:19|20)\d\d)"
)
BIRTH = any_of("""
    date of birth | birth ?date | d\\.?o\\.?b\\.? | born(?: on)? | birthday | geburtsdatum | geboren(?: am)? | geb\\. |
    date de naissance | n(?:\\xc3[\\xa9\\x89]|e)e? le | fecha de nacimiento | data di nascita |
    data de nascimento | geboortedatum
""")
STREETS = (
    r"\d{1,5}[A-Za-z]? (?:[NSEW]\.? )?(?:[A-Z][\w'.-]{1,20} ){1,3}(?:Street|St|Avenue|Ave|Road|Rd"
    r"|Boulevard|Blvd|Lane|Ln|Drive|Dr"
    r"|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Highway|Hwy|Parkway|Pkwy)\b\.?(?:[ ,]{1,2}(?:Apt|Suite"
    r"|Unit|#|Floor)\.? ?[\w-]{1,6})?"
    r"[\s,]{1,3}[A-Z][\w .'-]{1,30},? {1,2}(?:[A-Z]{2} \d{5}(?:-\d{4})?"
    r"|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]{2,3} \d{4})"
)
STREETS_ELSEWHERE = (
    r"[A-ZÄÖÜ][\w\x80-\xff.-]{2,30}(?:stra(?:ss|\xc3\x9f)e|str\.|weg|platz|allee|gasse|straat"
    r"|laan) \d{1,4} ?[a-z]?,?\s{1,2}"
    r"(?:[A-Z]{1,2}-)?\d{4,5} ?[A-Z]?[A-Z]? [A-Z][\w\x80-\xff]{2}"
    r"|\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|all\xc3\xa9e|impasse"
    r"|quai) [\w\x80-\xff' -]{3,40},?\s{1,2}\d{5} [A-Z]"
    r"|(?:[Cc]alle|[Aa]venida|[Pp]laza|[Vv]ia|[Vv]iale|[Pp]iazza|[Rr]ua) [\w\x80-\xff' .-]{3,40}, ?"
    r"(?:n\.?\xc2?[\xba\xb0]? ?)?\d{1,4},?\s{1,2}"
    r"(?:\d{1,2}.{0,4}, ?)?\d{4,5}(?:-\d{3})? [A-Z]"
)

RULES = (
    Rule(
        id="pii-email",
        title="an e-mail address",
        pattern=r"[A-Za-z0-9._%+\-]@[A-Za-z0-9\-]{1,40}\.[A-Za-z]{2}",
        exact=r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w@(])",
        before=128,
        after=64,
        check=is_mail,
        severity="low",
        samples=("mail jane.doe" + "@gmail.com", "Jürgen <j.weber" + "@web.de>"),
        clean=("git@github.com:a/b.git", "user@example.com", "icon@2x.png", "npm install left-pad@latest"),
    ),
    Rule(
        id="pii-card",
        title="the number of a payment card",
        pattern=r"(?:[0-9]{4}[ \-][0-9]{4}[ \-][0-9]{4}|3[47][0-9]{2}[ \-][0-9]{6}[ \-][0-9]{4}"
        rf"|(?i:{CARD_NAMES})[^0-9\n]{{1,12}}[2-6][0-9]{{12}})",
        exact=r"(?<![\d.\w-])(?P<secret>[2-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,7}"
        r"|3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{4,5})(?![\d.\w-])",
        before=32,
        after=24,
        check=is_card,
        severity="high",
        samples=("4539 5787" + " 6362 1486", "visa: 45395787" + "63621486", "amex 3714" + " 821653 95170"),
        clean=("4539 5787 6362 1487", "4242 4242 4242 4242", "id = 4539578763621486"),
    ),
    Rule(
        id="pii-iban",
        title="the number of a bank account (IBAN)",
        pattern=rf"(?:{'|'.join(sorted(IBAN_LENGTHS))})[0-9]{{2}} ?[A-Z0-9]{{4}} ?[A-Z0-9]{{4}} ?[A-Z0-9]{{3}}",
        exact=r"(?<![A-Za-z0-9])(?P<secret>[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}"
        r"(?: ?[A-Z0-9]{1,3})?)(?![A-Za-z0-9])",
        before=32,
        after=40,
        check=is_iban,
        severity="high",
        samples=("IBAN: DE89 3704" + " 0044 0532 0130 00", "GB82WEST" + "12345698765432"),
        clean=("DE89 3704 0044 0532 0130 01", "AB12 CDEF 3456 7890"),
    ),
    Rule(
        id="pii-phone",
        title="a telephone number",
        pattern=r"\+[1-9][0-9]{0,2}[ .\-(]{0,2}[0-9]{1,4}[ .\-)]{0,2}[0-9]{2}",
        exact=r"(?<![\w+])(?P<secret>\+[1-9][0-9]{0,2}(?:[ .\-()/]{0,2}[0-9]{1,6}){2,7})(?![\w])",
        before=32,
        after=32,
        check=is_phone,
        severity="medium",
        samples=("call +49 30" + " 901820", "tel:+4420" + "79460958", "+1 (212) " + "736-5000"),
        clean=("+1 555 0100", "a +1234567890 b", "+10 -3"),
    ),
    Rule(
        id="pii-phone-america",
        title="a telephone number of North America",
        pattern=r"[2-9][0-9]{2}\)?[ .\-][2-9][0-9]{2}[.\-][0-9]{4}",
        exact=r"(?<![\d.\w-])(?P<secret>\(?[2-9][0-9]{2}(?:\) ?|[ .-])[2-9][0-9]{2}[.-][0-9]{4})(?![\d.\w-])",
        before=24,
        after=8,
        check=is_national_phone,
        severity="medium",
        samples=("(212) 736" + "-5000", "reach me at 415-" + "863-2000"),
        clean=("212-555-0100", "1212-736-50001", "0.212.736.5000"),
    ),
    Rule(
        id="pii-ssn-form",
        title="what is written like a US social security number",
        pattern=r"[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}",
        exact=r"(?<![\d\w-])(?P<secret>(?!000|666)[0-8][0-9]{2}-(?!00)[0-9]{2}-(?!0000)[0-9]{4})(?![\d\w-])",
        before=24,
        after=8,
        check=lambda text, start, end: (
            text[start:end] not in (b"123-45-6789", b"078-05-1120", b"111-22-3333", b"219-09-9999")
        ),
        severity="medium",
        samples=("my number is 536-" + "22-8817",),
        clean=("123-45-6789", "000-12-3456", "2024-01-2024"),
    ),
    Rule(
        id="pii-birth-date",
        title="a date of birth",
        pattern=rf"(?i:{BIRTH})[^0-9A-Za-z\n]{{0,6}}(?:is )?[0-9A-Za-z]{{2}}",
        exact=rf"(?i:(?<![A-Za-z]){BIRTH}[^0-9A-Za-z\n]{{0,6}}(?:is )?(?P<secret>{DATE}))",
        before=48,
        after=32,
        severity="medium",
        samples=("Date of birth: 14.03.1987", "dob=1990-11-02", "born on 3 May 1979"),
        clean=("born to code", "date of birth: unknown"),
    ),
    Rule(
        id="pii-passport",
        title="the number of a passport",
        pattern=r"(?i:passport|reisepass|passeport|pasaporte|passaporto)(?i:[^0-9\n]{0,24})[0-9]{6}",
        exact=r"(?i:(?:passport|reisepass|passeport|pasaporte|passaporto)[ \w-]{0,16}[:#= \"']{1,4})"
        r"(?P<secret>[A-Z]{0,2}[0-9]{6,9}[A-Z]?)(?![\w])",
        before=64,
        after=8,
        severity="high",
        samples=("Passport number: C0" + "1234867", "passport no: 53" + "3380006"),
        clean=("passport version 0.6.0", "passport-local 1.0.0"),
    ),
    Rule(
        id="pii-mrz",
        title="the machine-readable zone of a passport",
        pattern=r"P<[A-Z]{3}[A-Z]{2}",
        exact=r"(?P<secret>P<[A-Z]{3}[A-Z<]{39}\s{0,2}[A-Z0-9<]{28,44})",
        before=16,
        after=112,
        severity="high",
        samples=("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10",),
        clean=("map<P<ABCde>>",),
    ),
    Rule(
        id="pii-routing-number",
        title="a US bank's routing number",
        pattern=r"(?i:routing|\baba\b)[^0-9\n]{0,20}[0-9]{9}",
        exact=r"(?i:(?:routing|\baba\b)[^0-9\n]{0,20})(?P<secret>[0-9]{9})(?![0-9])",
        check=is_routing_number,
        before=64,
        after=4,
        severity="medium",
        samples=("routing number: 0210" + "00021",),
        clean=("routing number: 021000022", "routing table 10"),
    ),
    Rule(
        id="pii-imei",
        title="the identity of a mobile device",
        pattern=r"(?i:\bimei\b)[^0-9\n]{0,12}[0-9]{8}",
        exact=r"(?i:\bimei\b)[^0-9\n]{0,12}(?P<secret>[0-9]{2}-?[0-9]{6}-?[0-9]{6}-?[0-9])(?![0-9])",
        check=is_imei,
        before=40,
        after=16,
        severity="medium",
        samples=("IMEI: 49015420" + "3237518",),
        clean=("IMEI: 490154203237519",),
    ),
    Rule(
        id="pii-vin",
        title="the identity of a vehicle",
        pattern=r"(?i:\bvin\b|chassis)[^0-9A-Za-z\n]{1,6}[A-HJ-NPR-Z0-9]{11}",
        exact=r"(?i:\bvin\b|chassis)[^0-9A-Za-z\n]{1,6}(?P<secret>[A-HJ-NPR-Z0-9]{17})(?![A-Z0-9])",
        check=is_vin,
        before=40,
        after=8,
        severity="medium",
        samples=("VIN: 1M8GDM9A" + "XKP042788",),
        clean=("VIN: 1M8GDM9A1KP042788",),
    ),
    Rule(
        id="pii-address",
        title="a postal address",
        pattern=r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place"
        r"|Square|Terrace|Way|Highway|Parkway)\.?"
        r"[ ,]{1,3}[A-Z]",
        exact=STREETS,
        before=96,
        after=80,
        severity="medium",
        samples=(
            "1600 Pennsylvania Avenue NW".replace(" NW", "") + ", Washington, DC 20500",
            "221 Baker Street, London NW1 6XE",
        ),
        clean=("Drive A is full", "see Way 3 of the list"),
    ),
    Rule(
        id="pii-address-elsewhere",
        title="a postal address of continental Europe",
        pattern=r"(?:(?:stra(?:ss|\xc3\x9f)e|str\.|weg|platz|allee|gasse|straat|laan) [0-9]"
        r"|[0-9],? (?:bis |ter )?(?:rue|avenue|boulevard|place|chemin|all\xc3\xa9e|impasse|quai) [A-Za-z]"
        r"|(?:[Cc]alle|[Aa]venida|[Pp]laza|[Vv]ia|[Vv]iale|[Pp]iazza|[Rr]ua) [A-Z])",
        exact=STREETS_ELSEWHERE,
        before=64,
        after=96,
        severity="medium",
        samples=("Lindenstraße 14, 10969 Berlin", "12 rue de Rivoli, 75004 Paris", "Calle Mayor, 22, 28013 Madrid"),
        clean=("die Straße 5", "via Gradle 7"),
    ),
    Rule(
        id="pii-ip-address",
        title="a public network address",
        pattern=r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
        exact=r"(?<![\w.-])(?P<secret>(?:[0-9]{1,3}\.){3}[0-9]{1,3})(?![\w.-]|\.\d)",
        before=24,
        after=8,
        check=is_public_address,
        severity="low",
        samples=("peer 93.184.216.34 closed",),
        clean=("10.0.0.1", "127.0.0.1", "version 1.22.13.4", "192.0.2.7"),
    ),
    Rule(
        id="pii-ip6-address",
        title="a public network address of version 6",
        pattern=r"2[0-9a-fA-F]{3}:[0-9a-fA-F]{1,4}:[0-9a-fA-F:]{2}",
        exact=r"(?<![\w:.])(?P<secret>2[0-9a-fA-F]{3}:(?:[0-9a-fA-F]{0,4}:){1,6}[0-9a-fA-F]{1,4})(?![\w:])",
        before=24,
        after=40,
        check=is_public_address,
        severity="low",
        samples=("from 2606:2800:220:1:248:1893:25c8:1946",),
        clean=("2001:db8::1", "at 2024:01:02"),
    ),
)

SCANNER = Scanner(
    name="pii", title="Personal data: mail, telephone, cards, accounts, addresses, birth dates", rules=RULES
)
