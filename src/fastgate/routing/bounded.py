"""Whether a prompt asks for a short edit with a clear end: a rename, a typo, a version, one line in one file.

A judgement by words, made to be careful: it says yes where an instruction is short, names what to change by a name that
stands in code, and asks for nothing open. `python -m bench.edits` measures it on labelled prompts; docs/ladder.md says
how often it is right. Looks at the last words of the user alone.
"""

from __future__ import annotations

import re

import msgspec

WORDS_MAX = 60
"""A longer instruction has conditions, or a story; the longest bounded one of the labelled set has 41 words."""

CODE_CHARS_MAX = 600
"""Of a block of code that the instruction brings along: more is a program to be worked on."""

_ASIDE = re.compile(r"<(system-reminder|ide_[a-z_]+|local-command-[a-z]+)>.*?</\1>", re.DOTALL)
"""What Claude Code adds to a prompt by itself."""

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)

_EDIT = re.compile(
    r"\b(renam(?:e|ing)|chang(?:e|ing)|replac(?:e|ing)|updat(?:e|ing)|bump|set|fix|correct|remov(?:e|ing)|delet(?:e|ing)|"
    r"drop|add|insert|append|mov(?:e|ing)|swap|convert|uncomment|comment out|capitali[sz]e|sort|format|typo|"
    r"increase|decrease|rais(?:e|ing)|lower|revert|put|mark|turn|switch|make)\b",
    re.IGNORECASE,
)

_NAMED = re.compile(
    r"`[^`\n]{1,120}`"  # set as code
    r"|[\w./-]*\w\.(?:py|pyi|pyx|js|jsx|ts|tsx|go|rs|rb|java|kt|c|h|cc|cpp|hpp|cs|php|swift|scala|sh|sql|css|scss|html|"
    r"vue|md|rst|txt|toml|ya?ml|json|ini|cfg|env|lock|xml|tf|proto)\b"
    r"|\b(?:Makefile|Dockerfile|README|CHANGELOG|LICENSE)\b"
    r"|\blines? \d+"
    r"|\b[a-z]+(?:_[a-z0-9]+)+\b|\b[A-Z]+(?:_[A-Z0-9]+)+\b"  # snake_case
    r"|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b|\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+\b"  # camelCase
    r"|\b\w+\(\)"
    r"|\"[^\"\n]{1,80}\"|'[^'\n]{2,80}'(?!\w)"
)

OPEN_WORDS = (
    # a wish for another shape, or for something new
    r"refactor\w*", r"redesign\w*", r"restructur\w*", r"rewrit\w*", r"re-?architect\w*", r"architectur\w*", "design",
    r"implement\w*", r"migrat\w*", "port (?:it|this|the)", r"optimi[sz]\w*", r"improv\w*", r"performan\w*", "faster",
    "clean(?:er)? ?up", r"simplif\w*", r"modulari[sz]\w*", "build (?:a|an|the|me|us)", "feature",
    ("create (?:a|an|the)? ?(?:new )?(?:app|service|module|system|api|endpoint|page|component|class|cli|tool|script|"
    "pipeline|library|package|project|suite)"), "add support", "support(?:s|ing)? for", r"integrat\w*", "handle",
    "handling", "package", "own (?:file|module)",
    # a question, or a search
    r"investigat\w*", r"debug\w*", r"diagnos\w*", "figure out", "find out", "look into", "explain", "why",
    "how (?:do|does|can|could|should|would|is|are|to)", "what (?:is|are|does|would|happens)", "which",
    "should (?:we|i)", r"review\w*", r"audit\w*", r"analy[sz]\w*", "plan", "brainstorm", "compare", "evaluate",
    "research", "propose", "suggest", "ideas?", "trade-?offs?",
    # no end in sight
    "everywhere", "every (?:file|module|call|caller|class|function|test|service|endpoint)",
    ("all (?:of )?(?:the |our |these |those )?(?:files|modules|callers?|calls|tests|usages|references|occurrences|"
    "endpoints|services|classes|functions|places|handlers|components)"), "across ", "throughout ", "whole", "entire",
    "code ?base", "repo(?:sitory)?", "project-wide", "as needed", "if necessary", "where (?:needed|appropriate)",
    "best", "properly",
    # something does not work, and what is not said
    "race condition", "deadlock", "memory leak", r"flak\w+", r"intermittent\w*", "sometimes", "regression", "security",
    r"vulnerab\w*", r"wrong\w*", "bugs?", "broken", "works?", r"behaviou?r\w*", "failing", "fails",
    # tests, and what has a theory
    "tests? (?:for|that|to|around)", "(?:write|add) tests?", "unit tests?", "test coverage",
    "make (?:the |all )?tests? pass", r"thread-?safe\w*", r"concurren\w*", r"async\w*", "retry", "retries", "caching",
    "pagination", r"authenticat\w*", r"authori[sz]\w*",
)  # fmt: skip
"""Words of work whose end nobody can see from the prompt."""

_OPEN = re.compile(rf"\b(?:{'|'.join(OPEN_WORDS)})\b", re.IGNORECASE)

_STEPS = re.compile(r"(?m)^\s*(?:[-*]|\d+[.)])\s")

_MANY_STEPS = 3
"""A list of so many points is a plan."""


def bounded(text: str) -> bool:
    """Whether an instruction in words asks for a bounded edit."""
    code = sum(len(found) for found in _FENCE.findall(text))
    words = _FENCE.sub(" ", text)
    if code > CODE_CHARS_MAX or len(words.split()) > WORDS_MAX or len(_STEPS.findall(words)) >= _MANY_STEPS:
        return False
    named = _NAMED.search(words) is not None or code > 0
    plain = _NAMED.sub(" it ", words)  # `design.md` is a name and no wish for a design
    return named and _EDIT.search(plain) is not None and _OPEN.search(plain) is None and "?" not in plain


def is_bounded_edit(body: bytes) -> bool:
    """Whether the last words of the user in a request do. False where there are none, or none that can be read."""
    return bounded(last_words(body))


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Block] = ""


class _Conversation(msgspec.Struct):
    messages: list[_Message] = []


_decode = msgspec.json.Decoder(_Conversation).decode


def last_words(body: bytes) -> str:
    """The text of the last message by the user that has some, without what Claude Code adds by itself."""
    try:
        messages = _decode(body).messages
    except msgspec.ValidationError:
        return ""
    for message in reversed(messages):
        if message.role == "user":
            content = message.content
            text = content if isinstance(content, str) else "\n".join(b.text for b in content if b.type == "text")
            text = _ASIDE.sub("", text).strip()
            if text:
                return text
    return ""
