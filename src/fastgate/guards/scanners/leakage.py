"""What an answer must not hold: the system prompt, keys, names of inner hosts, traces that show too much."""

from __future__ import annotations

from dataclasses import replace

from fastgate.guards.rule import ANSWER, Rule, Scanner
from fastgate.guards.scanners import secrets
from fastgate.guards.scanners._phrases import any_of, chain, phrase_rule

KEYS = tuple(
    replace(rule, id=f"leak-{rule.id}", kinds=ANSWER)
    for rule in secrets.SCANNER.rules
    if rule.severity == "critical" and not rule.id.endswith("-unverified")
)
"""Keys that are certain enough to act on in the middle of a stream."""

RULES = (
    *KEYS,
    phrase_rule(
        "leak-system-prompt",
        "an answer that tells its instructions",
        (
            chain(
                any_of("my | the | these are my | here (?:is|are) (?:my|the)"),
                any_of(
                    "(?:full |exact |complete |hidden |initial |original )?"
                    "(?:system prompt|system message|instructions)"
                ),
                any_of("is | are | reads? | says? | state | : | begin"),
                most=12,
            ),
            "(?:i (?:was|have been|am) (?:instructed|told|programmed|configured) (?:to|not to|that|never to))",
            "you are claude code, anthropic.s official cli",
        ),
        (
            "Here is my system prompt: You are",
            "I was instructed to never say",
            "You are Claude Code, Anthropic's official CLI for Claude.",
        ),
        ("the build system prompts for a name", "I was able to fix it"),
        kinds=ANSWER,
    ),
    Rule(
        id="leak-private-host",
        title="the name or address of an inner host",
        pattern=r"(?:\b(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d|\.(?:internal|corp|intranet|lan)\b)",
        exact=r"(?<![\w.-])(?P<secret>(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}"
        r"|[a-z0-9][\w-]{1,62}(?:\.[\w-]{1,63}){0,4}\.(?:internal|corp|intranet|lan))(?![\w-]|\.\w)",
        before=320,
        after=16,
        kinds=ANSWER,
        severity="low",
        hold=320,
        samples=("connect to db-1.prod.internal", "at 10.12.0.7"),
        clean=("the internal state", "version 10.2"),
    ),
    phrase_rule(
        "leak-other-conversation",
        "an answer that speaks of other people's conversations",
        chain(
            any_of("another | other | previous | different | earlier"),
            any_of("user.?s?'? | customer.?s?'? | tenant.?s? | session.?s?"),
            any_of("asked | said | uploaded | shared | conversation | data (?:is|was|shows)"),
            most=12,
        ),
        ("another user asked me for this key", "a previous customer's conversation"),
        ("the user asked for a table", "other tests"),
        kinds=ANSWER,
        severity="medium",
    ),
)

SCANNER = Scanner(name="leakage", title="What an answer must not hold", rules=RULES)
