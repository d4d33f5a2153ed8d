"""What wants something kept from the user, or done without asking. Phrases of indirect.py, which owns the family."""

from __future__ import annotations

from fastgate.guards.scanners._phrases import any_of, chain

SECRECY = (
    chain(
        any_of("do not | don.?t | never | without"),
        any_of("""
            tell(?:ing)? | mention(?:ing)? | inform(?:ing)? | reveal(?:ing)? | show(?:ing)? | notify(?:ing)? |
            alert(?:ing)?
        """),
        any_of("""
            (?:this )?(?:to )?the (?:user|human|developer|customer) |
            (?:this|these) (?:instructions?|comment|note) |
            the user.?s? (?:for )?(?:permission|confirmation|consent)
        """),
        most=24,
    ),
    chain(
        "(?:keep|hide|conceal|withhold|keeping|hiding)",
        "(?:this|it|that|these|them|what)",
        "from the (?:user|human|developer|customer|owner|reader)\\b(?! (?:table|list|menu|guide|manual|interface|"
        "profile|data|space|model|record|view|page|row|column|class)s?\\b)",
        most=24,
    ),
    chain(
        any_of("do not | don.?t | never | without"),
        "ask(?:ing)? (?:the (?:user|human|developer|customer)(?:.s)?|for)",
        any_of("permission | confirmation | consent | approval | first | whether | if (?:it|they|you)"),
        most=16,
    ),
    chain(
        any_of("silently | secretly | quietly | covertly | in the background"),
        r"\b"
        + any_of("""
            run | execute | send | upload | delete | call | post | add | include | forward(?! compat) | exfiltrate |
            copy
        """)
        + r"\b",
        most=24,
    ),
    chain(
        "the (?:user|customer|human|developer|owner|admin\\w{0,10}|account (?:owner|holder))",
        any_of("""
            (?:has )?already (?:approved|authorized|authorised|agreed|consented|confirmed) |
            (?:must|should|does|need) not (?:know|see|be told|notice) |
            is (?:an? )?(?:admin|authori[sz]ed|verified)
        """),
        most=24,
    ),
)
SECRECY_OPENS = any_of("""
    (?:do not|don.?t|never|without) (?:ever )?(?:tell|mention|inform|reveal|show|notify|alert|ask) |
    (?:silently|secretly|quietly|covertly|in the background) |
    from the (?:user|human|developer|customer|owner|reader)\\b |
    (?:already (?:approved|authori|agreed|consented|confirmed)|not (?:know|see|be told|notice)|
    user is (?:an? )?(?:admin|authori|verif))
""")
