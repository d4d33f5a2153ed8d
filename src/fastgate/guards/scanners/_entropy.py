"""How random a string looks, and whether it is a placeholder: the judges of generic secrets.

Pure functions over ASCII text. A random key has many different characters in no order; names, words, paths
and sample keys do not.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

_PLACEHOLDER = re.compile(
    r"""example|sample|placeholder|change[-_]?(?:me|it)|replace[-_]?me|redacted|dummy|fake|mock|foobar
    | (?:your|my|the|some|enter|insert)[-_ ]?(?:own[-_]?)?(?:api|app|access|secret|auth|key|token|password|pass|client)
    | xxxx|\*\*\*\*|\.\.\.\.|----|____|0000000|1111111|abcdefgh|12345678|23456789|deadbeef|cafebabe|0123456789
    | not[-_]?a[-_]?real|test[-_]?(?:key|token|secret|password)|lorem|insecure|todo|tbd\b|n/a""",
    re.IGNORECASE | re.VERBOSE,
)
_REFERENCE = re.compile(
    r"""^(?: \$\{?[\w.:\-]+\}? | \{\{?.*\}\}? | <[^>]*>? | %[\w]+% | \$\(.*\)? | @[\w.]+@ | \#\{.*\}
    | (?:process\.)?env[.\[(].* | os\.(?:environ|getenv).* | getenv.* | null | none | true | false | undefined | nil
    | (?:secrets?|vars?|config|settings|self|this|props|ctx|request|req|params|args|data|local)\.[\w.\[\]'"()]+ )$""",
    re.IGNORECASE | re.VERBOSE,
)
_UUID = re.compile(r"^\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?$")
_HEX = re.compile(r"^(?:0x)?[0-9a-fA-F]+$")
_CHUNK = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

_CODE_WORD = re.compile(
    r"""(?i) password|passwd|secret|credential|private|public|access_?token|certificate|signature|algorithm|encrypt|"
    "decrypt
    | provider|manager|factory|builder|handler|service|session|request|response|config|settings|default|context|version
    | function|object|string|number|integer|boolean|length|buffer|element|container|component|controller
    | resource|identifier|parameter|attribute|property|reference|instance|generate|validate|authoriz|authentic
    | database|application|development|production|environment|localhost""".replace(" ", ""),
    re.VERBOSE,
)
"""Words of six letters or more of which names in code are made. A random string of forty signs holds one of them
once in a million times."""

_JOINT = re.compile(rf"[_-]|{_CODE_WORD.pattern.replace('(?i)', '', 1)}", re.IGNORECASE | re.VERBOSE)
"""Where a prefix of words ends: `acme_production_` before a key."""

KEY_RUN = 16
"""Signs that a generated part has at least behind words: what is shorter may be an abbreviation or a number."""

VOWELS = frozenset("aeiouyAEIOUY")


def bits_per_character(text: str) -> float:
    """Shannon entropy of the characters, 0 for an empty string."""
    if not text:
        return 0.0
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values())


def is_placeholder(text: str) -> bool:
    """A sample, a reference to where the value lives, or a run of one sign: what people write instead of a key."""
    if _PLACEHOLDER.search(text) or _REFERENCE.match(text):
        return True
    return len(set(text)) * 5 < min(len(text), 40)


def is_uuid(text: str) -> bool:
    return _UUID.match(text) is not None


def is_hex(text: str) -> bool:
    return _HEX.match(text) is not None


def _wordlike(chunk: str) -> bool:
    """Letters that could be spoken: a vowel at least every fourth letter."""
    gap = 0
    for sign in chunk:
        gap = 0 if sign in VOWELS else gap + 1
        if gap > 3:
            return False
    return any(sign in VOWELS for sign in chunk)


def word_share(text: str) -> float:
    """The share of the letters and digits that stand in word-like runs of three letters or more."""
    chunks = _CHUNK.findall(text)
    total = sum(map(len, chunks))
    spoken = sum(len(chunk) for chunk in chunks if len(chunk) >= 3 and chunk.isalpha() and _wordlike(chunk))
    return spoken / total if total else 1.0


def changes(text: str) -> float:
    """How often the kind of sign (lower, upper, digit, other) changes, a character."""
    kinds = [0 if c.islower() else 1 if c.isupper() else 2 if c.isdigit() else 3 for c in text]
    return sum(a != b for a, b in itertools.pairwise(kinds)) / max(1, len(text) - 1)


def looks_random(text: str, at_least: float = 3.0) -> bool:
    """True for what a generator made: entropy for its length, several kinds of sign, few words. Where words of code
    stand in it, the longest run between them has to be made like that."""
    if is_placeholder(text):
        return False
    if _CODE_WORD.search(text):
        text = max(_JOINT.split(text), key=len)
        if len(text) < KEY_RUN or is_placeholder(text):
            return False
    entropy = bits_per_character(text)
    if is_hex(text):
        return entropy >= min(at_least, 2.6) and not text.isdigit()
    if entropy < at_least:
        return False
    has_digit = any(sign.isdigit() for sign in text)
    if not has_digit:
        return changes(text) > 0.3 and word_share(text) < 0.5
    return word_share(text) < 0.68
