"""Sentences as patterns: words in an order, with little between them, in the languages that attackers write.

Owns the vocabulary that injection, indirect injection, jailbreaks and prompt extraction share, and how a rule of
phrases is made. Gaps never cross a full stop or a line's end twice: what stands in two sentences is no phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fastgate.guards.rule import Check, Kind, Rule, Severity

GAP = 40
"""Bytes between two words of a phrase: some seven words."""


def gap(most: int = GAP) -> str:
    return rf"[^.!?\n]{{0,{most}}}"


def any_of(*choices: str) -> str:
    """One of several. A choice may be several in one text, apart by a bar between blanks; a line's end is no blank
    unless a bar stands before it, so that a long choice may go on in the next line."""
    each: list[str] = []
    for choice in choices:
        lines = [line.strip() for line in choice.splitlines()]
        text = "".join(f"{line} " if line.endswith(" |") else line for line in lines)
        each.extend(part.strip() for part in re.split(r" \|(?: |$)", text))
    return "(?:" + "|".join(each) + ")"


def chain(*parts: str, most: int = GAP) -> str:
    """The parts in order, each at most `most` bytes after the one before."""
    return gap(most).join(parts)


DROP = any_of("""
    ignor(?:e|ing) | i(?:ngor|gonr|gnro|gnr)e | disreguard | disregard(?:ing)? | forget(?:ting)? | overrid(?:e|ing) |
    bypass(?:ing)? | neglect | discard | do not (?:follow|obey) | don.?t (?:follow|obey|listen) |
    stop (?:following|obeying) | pay no attention to | set aside | erase | drop
""")
PRIOR = any_of("""
    previous | prior | preceding | above | earlier | before | former | initial | original |
    existing(?! (?:\\w{1,12} )?commands?\\b) | (?<!override )(?<!overriding the )existing | foregoing | past |
    all (?:of )?(?:the|your|my) | any | every(?:thing)? | your | system | developer | other | safety | security |
    content | my last | current
""")
ORDERS = any_of("""
    instructions? | directions? | directives? | prompts? | rules? | guidelines? | commands? |
    (?<!in )(?<![-\\w])orders? | constraints? | restrictions? | polic(?:y|ies) | programming | training | guardrails? |
    filters? | protocols? | safeguards? | (?:system|developer) messages? | assignments? |
    (?:user|original|previous|summari[sz]ation|current)(?:.s)? (?:request|query|question|task)
""")
TALK = any_of("""
    everything (?:above|before|you(?:.ve| have| were)|that (?:was|came)|i said|so far|prior) |
    (?:all|what(?:ever)?) (?:of )?(?:the )?(?:above|you were told|was said|came before|you have been told) |
    (?:the )?(?:above|previous|prior|preceding) (?:text|conversation|messages?|context|content|chat|discussion)
""")

SHORTLY_ELSEWHERE = (
    "忽略(?:之前|以上|前面|先前|所有|上述).{0,24}(?:指令|指示|说明|规则|提示)",
    "(?:以前|これまで|上記|前)の.{0,16}(?:指示|命令|ルール).{0,24}(?:無視|忘れ)",
    "(?:이전|위의|앞의).{0,16}(?:지시|명령|규칙).{0,16}(?:무시|잊)",
    "(?:önceki|Önceki|tüm|bütün).{0,24}(?:talimat|kural|yönerge|komut).{0,24}(?:yok say|unut|görmezden|dikkate alma)",
    "abaikan (?:semua |seluruh )?(?:instruksi|perintah|petunjuk|aturan)",
    "bỏ qua.{0,24}(?:hướng dẫn|chỉ thị|quy tắc|lệnh)",
    "(?:पिछले|पहले|सभी|उपरोक्त).{0,40}(?:निर्देश|आदेश|नियम).{0,40}(?:अनदेखा|भूल|नज़रअंदाज)",
    "(?:تجاهل|انس|اهمل).{0,40}(?:التعليمات|الأوامر|القواعد|الإرشادات)",
    "(?:התעלם|תתעלם|שכח).{0,40}(?:ההוראות|ההנחיות|הכללים)",
    "(?:ігноруй|забудь|відкинь).{0,40}(?:інструкції|вказівки|правила)",
    "(?:ignoruj|zapomeň).{0,24}(?:instrukce|pokyny|pravidla)",
    "(?:ignorera|glöm|bortse från).{0,24}(?:instruktioner|regler|anvisningar)",
    "(?:αγνόησε|ξέχασε|αγνοήστε).{0,40}(?:οδηγίες|εντολές|κανόνες)",
)
"""Whole phrases, for languages in which the verb stands last or few words have the sense."""

DROP_ELSEWHERE_OPENS = any_of("""
    (?:ignorier(?:e|en)?|vergiss|vergessen sie|missachte) (?:alle|die|deine|jede|bitte|s.{1,2}mtliche|vorherige|
    meine|das) |
    (?:ignore[zr]?|oublie[zr]?) (?:toute?s?|tous|les|tes|mes|vos|ces|la|as|todas|suas|este) |
    ne (?:tenez|tenir|tiens) pas compte | haz caso omiso |
    (?:ignora(?:r)?|olvida(?:r)?|omite) (?:todas?|todos?|las|los|tus|mis|cualquier|tutte|le|ogni|quanto|el|lo|as) |
    (?:esque.{1,3}a|desconsidere) (?:todas?|as|suas|tudo) |
    (?:dimentica(?:re)?|trascura) (?:tutt[eoi]|le|ogni|quanto) | (?:negeer|vergeet) (?:alle|de|je|uw) |
    (?:zignoruj|zapomnij) (?:wszystkie|o|poprzednie|swoje) |
    (?:игнориру(?:й|йте)|забудь(?:те)?) (?:все|всё|предыдущие|свои|инструкции) | 忽略(?:之前|以上|前面|先前|所有|上述) |
    (?:以前|これまで|上記|前)の | (?:이전|위의|앞의) | (?:önceki|Önceki|tüm|bütün)  |
    abaikan (?:semua|seluruh|instruksi|perintah|petunjuk|aturan) | bỏ qua | (?:पिछले|पहले|सभी|उपरोक्त) |
    (?:تجاهل|انس|اهمل)  | (?:התעלם|תתעלם|שכח)  | (?:ігноруй|забудь|відкинь)  | (?:ignoruj|zapomeň)  |
    (?:ignorera|glöm|bortse från)  | (?:αγνόησε|ξέχασε|αγνοήστε)
""")
DROP_OPENS = (
    DROP + r"\s(?:all|any|the|your|my|every|previous|prior|above|these|those|what|of|preceding|earlier|system|former"
)
DROP_OPENS += (
    r"|initial|original|existing|safety|security|content|developer|other|previously|everything|past"
    r"|current|whatever)"
)

DROP_WRAPPED = (
    r"\b(?:ignore|ignoring|disregard|forget|override|overriding|bypass|discard|obey|follow|listen)[\t ]?\r?\n"
)
"""A line that ends with such a verb, whatever the next begins with."""

# The same three ideas in German, French, Spanish, Portuguese, Italian, Dutch, Polish, Russian, Chinese, Japanese.
DROP_ELSEWHERE = any_of("""
    ignorier(?:e|en)? | vergiss | vergessen sie | missachte | ignore[zr]? | oublie[zr]? |
    ne ten(?:ez|ir) pas compte | ignora(?:r)? | olvid(?:a|e|ar) | omite | haz caso omiso | ignore(?:m)? |
    esque(?:ça|cer?) | desconsidere | dimentica(?:re)? | trascura | negeer | vergeet | zignoruj | zapomnij |
    игнориру(?:й|йте) | забудь(?:те)?
""")
ORDERS_ELSEWHERE = any_of("""
    anweisungen | instruktionen | vorgaben | richtlinien | regeln | alles,? was | instructions | consignes |
    directives | règles | instrucciones | indicaciones | reglas | directrices | todo lo anterior |
    instruções | instrucoes | regras | diretrizes | istruzioni | regole | linee guida | instructies | regels |
    instrukcj | polece | zasad | инструкци | указани | правил
""")


CLIENTS_TAG = re.compile(
    rb"""(?ix) <system-reminder>\s{0,2} (?: warning:\ the\ file\ exists | this\ file\ is\ already\ in\ your\ context
        | tip:\ | the\ (?:current\ date|user's\ timezone|model\ for\ this\ session) | message\ sent\ at
        | whenever\ you\ read\ a\ file,\ you\ should\ consider | this\ is\ a\ reminder\ that\ your\ todo\ list
        | your\ todo\ list | as\ you\ answer\ the\ user's\ questions,\ you\ can\ use )"""
)
CLIENTS_OWN = re.compile(
    rb"""(?ix) whenever\ you\ read\ a\ file,\ you\ should\ consider
    | do\ not\ mention\ this\ to\ the\ user\ explicitly\ because\ they\ are\ already\ aware
    | don't\ tell\ the\ user\ this,\ since\ they\ are\ already\ aware
    | do\ not\ mention\ this\ explicitly\ to\ the\ user\.\ here\ are\ the\ latest\ contents\ of\ your\ todo\ list
    | again\ do\ not\ mention\ this\ message\ to\ the\ user"""
)
"""What Claude Code itself writes into tool results (its releases of 2025 and 2026): orders, but nobody's injection. How
its reminders begin, which says nothing of what else they hold; and whole sentences."""

CLIENTS_OWN_SPAN = 120
"""Around a finding so much is looked at for one of these."""


def not_the_clients(text: bytes, start: int, end: int) -> bool:
    """Whether the place neither begins one of the client's reminders nor lies within a sentence of it."""
    if CLIENTS_TAG.match(text, start):
        return False
    around = CLIENTS_OWN.finditer(text, max(0, start - CLIENTS_OWN_SPAN), end + CLIENTS_OWN_SPAN)
    return not any(own.start() <= start and end <= own.end() for own in around)


def others_words(text: bytes) -> bytes:
    """The text without the sentences that the client wrote into it; the same object where it wrote none."""
    return CLIENTS_OWN.sub(b" ", CLIENTS_TAG.sub(b" ", text))


_GAP = re.compile(r"\[\^\.!\?\\n\]\{0,(\d+)\}")
_BLANK = re.compile(r"(\(\?<[!=][^)]*\)|(?<!\\)\[[^\]]*\])|(?<!\\) (?![?*+{])")
_NUMBER = r"(?: {0,6}\d{1,6}(?:\t|\xe2\x86\x92))?"
_MARGIN = rf"{_NUMBER}[\t ]{{0,12}}(?:[#>;%*/-]{{1,4}}[\t ]{{1,4}})?"
"""What the next line may begin with: the number that Read prints, blanks, the mark of a comment or a quotation. Short,
as it stands in place of every blank, and PCRE2 holds 64 KB of a rule."""


def wrapped(text: str) -> str:
    """A phrase as it may stand in a file of short lines: one line's end in each gap, and in place of any blank. Only
    the
    closer look sees it so: Hyperscan with a choice at every blank would take a fifth longer for each request."""
    text = _GAP.sub(lambda m: rf"{m[0]}(?:\r?\n{_MARGIN}[^.!?\n]{{0,{int(m[1]) // 2}}})?", text)
    return _BLANK.sub(lambda m: m[1] or rf"(?:[\t ]{{1,3}}|[\t ]?\r?\n{_MARGIN})", text)


def phrase_rule(
    name: str,
    title: str,
    pattern: str | Iterable[str],
    samples: tuple[str, ...],
    clean: tuple[str, ...],
    *,
    kinds: frozenset[Kind],
    severity: Severity = "high",
    roles: frozenset[str] = frozenset(),
    opens: str = "",
    check: Check | None = None,
    before: int = 96,
) -> Rule:
    """A rule of one phrase, or of several that mean the same; case does not matter.

    `opens` is a rigid part of it that all of them have, for phrases that begin with words that code is full of:
    Hyperscan looks for that alone, as an automaton that waits forty bytes behind each `send` is always at work.
    `before`: how many bytes in front of its end the phrase may begin.
    """
    text = pattern if isinstance(pattern, str) else any_of(*pattern)
    return Rule(
        id=name,
        title=title,
        pattern=opens or text,
        exact=wrapped(text),
        phrase=True,
        before=before,
        after=320,
        caseless=True,
        check=check,
        kinds=kinds,
        roles=roles,
        severity=severity,
        samples=samples,
        clean=clean,
    )
