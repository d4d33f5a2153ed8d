"""Labels of documents that must stay inside: classification, traffic-light protocol, export control, residency."""

from __future__ import annotations

import re

import msgspec

from fastgate.guards.rule import REQUEST, Rule, Scanner, Severity
from fastgate.guards.scanners._phrases import any_of


class Classification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scanner `classification`."""

    labels: tuple[str, ...] = ()
    """Labels of the deployment's own, found as they are written."""


def label(
    name: str,
    title: str,
    text: str,
    samples: tuple[str, ...],
    clean: tuple[str, ...],
    severity: Severity,
    caseless: bool,
) -> Rule:
    return Rule(
        id=f"label-{name}", title=title, pattern=any_of(text), caseless=caseless, kinds=REQUEST, severity=severity,
        samples=samples, clean=clean,
    )  # fmt: skip


RULES = (
    label(
        "government",
        "a government's classification",
        r"""
        TOP SECRET(?://|\b) | \bSECRET//[A-Z] | \bCONFIDENTIAL//[A-Z] | \bNOFORN\b | \bCUI//[A-Z] |
        CONTROLLED UNCLASSIFIED | VS-NfD | NUR F\xc3\x9cR DEN DIENSTGEBRAUCH | STRENG GEHEIM |
        OFFICIAL-SENSITIVE | UK EYES ONLY | SECRET DEFENSE | NATO (?:SECRET|CONFIDENTIAL|RESTRICTED) |
        EU (?:SECRET|RESTRICTED) | FOR OFFICIAL USE ONLY | \(U//FOUO\)
    """,
        ("TOP SECRET//SI", "VS-NfD", "NATO RESTRICTED", "CUI//SP-PRVCY"),
        ("the top secret of success", "secret = x"),
        "critical",
        False,
    ),
    label(
        "company",
        "a company's label of confidentiality",
        r"""
        (?:classification|sensitivity|label|vertraulichkeit|classified as|
        einstufung)\s{0,2}[:=]\s{0,3}(?:strictly |highly |company |streng )?(?:confidential|restricted|
        secret|internal|vertraulich|geheim) | strictly confidential | company confidential |
        internal use only | for internal (?:use|distribution) only |
        confidential and (?:proprietary|privileged) | attorney[- ]client privilege | streng vertraulich |
        nur f.{1,2}r (?:den )?internen? gebrauch | not for (?:public |external )(?:release|distribution)
    """,
        ("Classification: Confidential", "STRICTLY CONFIDENTIAL", "for internal use only", "attorney-client privilege"),
        ("keep it confidential if you can", "internal = True"),
        "high",
        True,
    ),
    label(
        "traffic-light",
        "a label of the traffic light protocol",
        r"TLP ?: ?(?:RED|AMBER(?:\+STRICT)?)",
        ("TLP:RED", "TLP: AMBER+STRICT"),
        ("TLP:CLEAR", "TLP:GREEN"),
        "high",
        False,
    ),
    label(
        "export-control",
        "a mark of export control",
        r"""
        \bITAR[- ](?:controlled|restricted)|\bITAR\b[^\n]{0,40}(?:22 CFR|export) |
        export[- ]controlled (?:information|data|technical) | \bECCN ?[:#]? ?[0-9][A-E][0-9]{3} |
        \bEAR99\b | subject to (?:the )?(?:ITAR|EAR|export administration)
    """,
        ("ITAR-controlled", "ECCN: 5E002", "subject to the Export Administration Regulations"),
        ("export default function", "control the export"),
        "high",
        True,
    ),
    label(
        "residency",
        "a mark that data must stay in a place",
        r"""
        (?:data|information) (?:must|may|shall) (?:not leave|remain (?:in|within)|stay (?:in|
        within)) (?:the )?(?:eu|eea|european|uk|us|united|germany|switzerland|country|jurisdiction|region|
        china|india) |
        data[_ -]residency\s{0,2}[:=]\s{0,3}["']?(?:eu|eea|uk|us|de|ch|ca|au|in|cn|jp|strict) |
        (?:eu|eea|uk|us|swiss)[- ](?:only|resident) data |
        not (?:be )?transferred outside (?:the )?(?:eu|eea|uk|us|switzerland)
    """,
        ("this data must not leave the EU", "data_residency: eu", "EU-only data"),
        ("the data must be sorted", "residency of pages"),
        "high",
        True,
    ),
    label(
        "health",
        "a mark of health or personnel records",
        r"""
        protected health information | HIPAA[- ](?:protected|restricted) |
        patient[- ]identifiable |
        (?:medical|patient|personnel|payroll) record(?:s)? (?:number|no\.?|id)\s{0,2}[:#]
    """,
        ("contains protected health information", "Patient record number: 4711"),
        ("phi = (1 + 5 ** 0.5) / 2",),
        "high",
        True,
    ),
)


def make(settings: Classification) -> tuple[Rule, ...]:
    """The built-in labels and the deployment's own. ValueError for a label of fewer than three signs."""
    if short := [own for own in settings.labels if len(own.strip()) < 3]:
        raise ValueError(f"classification: {short[0]!r} is too short for a label")
    if not settings.labels:
        return RULES
    either = "(?:" + "|".join(re.escape(own).replace(r"\-", "-").replace(r"\ ", " ") for own in settings.labels) + ")"
    own = Rule(
        id="label-own",
        title="a label of the deployment",
        pattern=either,
        exact=rf"(?<!\w){either}(?!\w)",
        kinds=REQUEST,
        severity="high",
        samples=tuple(f"[{own}]" for own in settings.labels),
    )
    return (*RULES, own)


SCANNER = Scanner(
    name="classification",
    title="Labels of classification, export control and residency",
    rules=RULES,
    settings=Classification,
    make=make,
)
