"""National identifiers of people, in the notation of their country, behind a word that says what they are.

Digits alone are no evidence: one number in ten passes a check digit. So each rule wants a word in front of the number,
in the country's language or English, and then the check digit.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fastgate.guards.rule import Check, Rule, Scanner
from fastgate.guards.scanners import _ids, _sampling
from fastgate.guards.scanners._phrases import any_of

BETWEEN = (
    r"[^0-9A-Za-z\n]{1,5}"
    r"(?:(?:no|nr|num|number|nummer|id|is|code|card|:|\#|=|der|of|the|for|de)[^0-9A-Za-z\n]{1,4}){0,3}"
)
"""What may stand between the word and the number: signs and short filler words."""

SPAN = 96
"""Bytes from the word to the place where a candidate ends."""

_SEPARATORS = re.compile(r"[ ./\-]")

Valid = Callable[[str], bool]


def normalised(number: str) -> str:
    return _SEPARATORS.sub("", number).upper()


def begins(pattern: str) -> str:
    """What the number's first sign can be: a digit, or a capital before another sign of an identifier."""
    return "[A-Z][A-Z0-9]" if pattern.startswith(("[A-Z", "[A-C", "[STFG")) else "[0-9XYZ]"


def checker(valid: Valid) -> Check:
    """A check of the number without its separators."""

    def check(text: bytes, start: int, end: int) -> bool:
        number = normalised(text[start:end].decode("ascii"))
        return len(set(number)) > 2 and valid(number)

    return check


def sample_of(pattern: str, valid: Valid, seed: int = 0) -> str:
    """A number of that shape whose check digits fit."""
    for attempt in range(seed * 100_000, seed * 100_000 + 20_000):
        number = _sampling.sample(pattern, attempt)
        if len(set(normalised(number))) > 2 and valid(normalised(number)):
            return number
    raise ValueError(f"no valid number of the shape {pattern}")


def id_rule(name: str, title: str, words: str, pattern: str, valid: Valid) -> Rule:
    """One country's number. `pattern` is its whole shape, `#` a digit; the trigger is the word and the first digit."""
    pattern = pattern.replace("#", "[0-9]")
    number = sample_of(pattern, valid)
    word = _sampling.sample(words.split(" | ", maxsplit=1)[0])
    named = any_of(*(rf"\b{each}" if each[0].isascii() else each for each in words.split(" | ")))
    return Rule(
        id=name,
        title=title,
        pattern=rf"(?i:{named}){BETWEEN}{begins(pattern)}",
        exact=rf"(?i:{named}){BETWEEN}(?P<secret>{pattern})(?![0-9A-Za-z])",
        before=SPAN,
        after=32,
        check=checker(valid),
        hold=SPAN + 32,
        samples=(f"{word}: {number}", f"{word} no. {number}"),
        clean=(f"{word}: {number[:-2]}", f"order {number}x"),
    )


TABLE: tuple[tuple[str, str, str, str, Valid], ...] = (
    (
        "us-ssn",
        "a US social security number",
        "ssn | social security | soc sec",
        r"#{3}[ -]?#{2}[ -]?#{4}",
        _ids.us_ssn,
    ),
    ("us-itin", "a US taxpayer number", "itin | individual taxpayer", r"9#{2}[ -]?#{2}[ -]?#{4}", _ids.us_itin),
    ("us-npi", "a US provider identifier", "npi | national provider", r"[12]#{9}", _ids.us_npi),
    (
        "ca-sin",
        "a Canadian social insurance number",
        "sin | social insurance | nas",
        r"#{3}[ -]?#{3}[ -]?#{3}",
        _ids.ca_sin,
    ),
    ("uk-nhs", "a British health number", "nhs", r"#{3}[ -]?#{3}[ -]?#{4}", _ids.uk_nhs),
    (
        "uk-nino",
        "a British insurance number",
        "nino | national insurance",
        r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?#{2} ?#{2} ?#{2} ?[A-D]",
        lambda text: text[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ"),
    ),
    (
        "de-tax-id",
        "a German tax number",
        "steuer-?id\\w{0,24} | identifikationsnummer | idnr | tax id",
        r"[1-9]# ?#{3} ?#{3} ?#{3}",
        _ids.de_tax_id,
    ),
    (
        "fr-nir",
        "a French social security number",
        "nir | s.{1,2}curit.{1,2} sociale | num.{1,2}ro de s.{1,2}cu | insee",
        r"[12] ?#{2} ?#{2} ?(?:#{2}|2[AB]) ?#{3} ?#{3} ?#{2}",
        _ids.fr_nir,
    ),
    (
        "it-codice-fiscale",
        "an Italian tax code",
        "codice fiscale | c\\.?f\\.? | cod\\.? fisc\\w{0,6}",
        r"[A-Z]{6}#{2}[A-EHLMPRST]#{2}[A-Z]#{3}[A-Z]",
        _ids.it_codice_fiscale,
    ),
    (
        "es-dni",
        "a Spanish identity number",
        "dni | nie | nif | documento nacional",
        r"(?:#{8}|[XYZ][ -]?#{7})[ -]?[A-HJ-NP-TV-Z]",
        _ids.es_dni,
    ),
    ("pt-nif", "a Portuguese tax number", "nif | contribuinte", r"[1235689]#{2} ?#{3} ?#{3}", _ids.pt_nif),
    (
        "nl-bsn",
        "a Dutch citizen number",
        "bsn | burgerservicenummer | sofinummer",
        r"#{4}[ .]?#{2}[ .]?#{3}",
        _ids.nl_bsn,
    ),
    (
        "be-rrn",
        "a Belgian register number",
        "rrn | rijksregister\\w{0,8} | registre national | niss | insz",
        r"#{2}[.]?#{2}[.]?#{2}[ -]?#{3}[.]?#{2}",
        _ids.be_rrn,
    ),
    (
        "ch-ahv",
        "a Swiss insurance number",
        "ahv\\w{0,8} | avs\\w{0,4} | sozialversicherung\\w{0,10}",
        r"756[.]?#{4}[.]?#{4}[.]?#{2}",
        _ids.ch_ahv,
    ),
    (
        "at-svnr",
        "an Austrian insurance number",
        "svnr | sv-nummer | sozialversicherungsnummer",
        r"[1-9]#{3} ?[0-3]#[01]#{3}",
        _ids.at_svnr,
    ),
    ("pl-pesel", "a Polish register number", "pesel", r"#{4}[0-3]#{6}", _ids.pl_pesel),
    (
        "cz-rodne-cislo",
        "a Czech or Slovak birth number",
        "rodn.{1,2} .{1,2}slo | birth number",
        r"#{2}[0-8]#[0-3]#/?#{4}",
        _ids.cz_rodne_cislo,
    ),
    (
        "se-personnummer",
        "a Swedish personal number",
        "personnummer | pnr | person number",
        r"(?:19|20)?#{2}[01]##{2}[-]?#{4}",
        _ids.se_personnummer,
    ),
    (
        "no-fodselsnummer",
        "a Norwegian birth number",
        "f.{1,2}dselsnummer | fnr | personnr",
        r"[0-7]#[0-8]#{3} ?#{5}",
        _ids.no_fodselsnummer,
    ),
    (
        "fi-hetu",
        "a Finnish personal code",
        "hetu | henkil.{1,2}tunnus",
        r"[0-3]#[01]#{3}[-A]#{3}[0-9A-Y]",
        _ids.fi_hetu,
    ),
    ("dk-cpr", "a Danish personal number", "cpr | personnr", r"[0-3]#[01]#{3}[-]?#{4}", _ids.dk_cpr),
    ("ie-pps", "an Irish service number", "pps\\w{0,2} | personal public service", r"#{7}[A-W][A-IW]?", _ids.ie_pps),
    ("gr-amka", "a Greek insurance number", "amka", r"[0-3]#[01]#{8}", _ids.gr_amka),
    ("ro-cnp", "a Romanian personal code", "cnp | cod numeric personal", r"[1-8]#{2}[01]#[0-3]#{7}", _ids.ro_cnp),
    ("bg-egn", "a Bulgarian civil number", "egn", r"#{4}[0-3]#{5}", _ids.bg_egn),
    ("hr-oib", "a Croatian personal number", "oib", r"#{11}", _ids.hr_oib),
    ("hu-taj", "a Hungarian insurance number", "taj(?:-sz.{1,2}m)?", r"#{3}[ -]?#{3}[ -]?#{3}", _ids.hu_taj),
    (
        "ee-isikukood",
        "an Estonian or Lithuanian personal code",
        "isikukood | asmens kodas",
        r"[3-6]#{2}[01]#[0-3]#{5}",
        _ids.ee_isikukood,
    ),
    ("tr-tckn", "a Turkish identity number", "tckn | tc kimlik | kimlik", r"[1-9]#{10}", _ids.tr_tckn),
    ("il-id", "an Israeli identity number", "teudat zehut | israeli id | ת\\.?ז", r"#{9}", _ids.il_id),
    (
        "in-aadhaar",
        "an Indian Aadhaar number",
        "aadh?aar | uid(?:ai)?",
        r"[2-9]#{3}[ -]?#{4}[ -]?#{4}",
        _ids.in_aadhaar,
    ),
    (
        "in-pan",
        "an Indian account number",
        "pan | permanent account",
        r"[A-Z]{3}[ABCFGHLJPT][A-Z]#{4}[A-Z]",
        lambda text: True,
    ),
    (
        "cn-rid",
        "a Chinese identity number",
        "身份证(?:号码|号)? | identity card | resident id",
        r"[1-6]#{5}(?:19|20)#{2}[01]#[0-3]##{3}[0-9X]",
        _ids.cn_rid,
    ),
    (
        "kr-rrn",
        "a Korean registration number",
        "주민(?:등록번호|번호)? | resident registration | rrn",
        r"#{2}[01]#[0-3]#[- ]?[1-8]#{6}",
        _ids.kr_rrn,
    ),
    (
        "jp-my-number",
        "a Japanese individual number",
        "my ?number | マイナンバー | 個人番号",
        r"#{4}[ -]?#{4}[ -]?#{4}",
        _ids.jp_my_number,
    ),
    ("tw-id", "a Taiwanese identity number", "身分證(?:字號|號碼)? | taiwan(?:ese)? id", r"[A-Z][12]#{8}", _ids.tw_id),
    ("sg-nric", "a Singaporean identity number", "nric | fin", r"[STFG]#{7}[A-Z]", _ids.sg_nric),
    ("th-id", "a Thai identity number", "thai id | บัตรประชาชน", r"[1-8][ -]?#{4}[ -]?#{5}[ -]?#{2}[ -]?#", _ids.th_id),
    ("au-tfn", "an Australian tax file number", "tfn | tax file", r"#{3} ?#{3} ?#{3}", _ids.au_tfn),
    ("au-medicare", "an Australian Medicare number", "medicare", r"[2-6]#{3} ?#{5} ?#", _ids.au_medicare),
    ("br-cpf", "a Brazilian taxpayer number", "cpf", r"#{3}[.]?#{3}[.]?#{3}[-]?#{2}", _ids.br_cpf),
    ("mx-curp", "a Mexican population code", "curp", r"[A-Z]{4}#{2}[01]#[0-3]#[HM][A-Z]{5}[0-9A-Z]#", _ids.mx_curp),
    ("ar-cuit", "an Argentine tax number", "cui[tl]", r"(?:20|23|24|27|30|33|34)[-]?#{8}[-]?#", _ids.ar_cuit),
    ("cl-rut", "a Chilean tax number", "rut | run", r"#{1,2}[.]?#{3}[.]?#{3}[-][0-9Kk]", _ids.cl_rut),
    (
        "za-id",
        "a South African identity number",
        "south african id | sa id | id number",
        r"#{2}[01]#[0-3]# ?#{4} ?[01][89]#",
        _ids.za_id,
    ),
)

SCANNER = Scanner(
    name="national-ids",
    title="National identifiers of people, with their check digits",
    rules=tuple(id_rule(*row) for row in TABLE),
)
