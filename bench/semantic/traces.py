"""Agent traces, generated from a seed: what developers ask a coding agent, asked again word for word or reworded (the
same answer), and with one thing changed (another answer).

Every near miss differs by what changes the task: one number, name, path, quotation, a denial, the opposite verb, two
names swapped, or the very same last text behind another system prompt, tool set, file content or earlier turn.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from bench.semantic.pair import Ask, Pair, asked

SEED = 20_261_127

Fields = dict[str, str]

FIELDS: dict[str, tuple[str, ...]] = {
    "path": ("src/http/head.py", "src/http/body.py", "lib/cache/store.ts", "lib/cache/index.ts", "pkg/auth/token.go",
             "pkg/auth/session.go", "app/models/user.rb", "app/models/order.rb", "web/src/App.tsx", "web/src/Main.tsx",
             "deploy/helm/values.yaml", "deploy/compose/dev.yaml", "tests/test_head.py", "tests/test_body.py",
             "config/settings.toml", "scripts/release.sh", "docs/install.md", "docs/usage.md"),
    "name": ("parse_header", "parse_body", "read_token", "readToken", "UserService", "OrderService", "MAX_RETRIES",
             "MAX_REDIRECTS", "load_config", "loadConfig", "on_close", "on_open", "get_user_by_id", "get_user_by_email",
             "CacheEntry", "CacheKey", "flush_all", "flush_one"),
    "number": ("3", "5", "8", "10", "12", "20", "42", "64", "100", "128", "250", "404", "500", "1024", "8080", "30000"),
    "quote": ('"connection refused"', '"connection reset"', '"not found"', '"permission denied"', '"Save"', '"Cancel"',
              '"v1.2.3"', '"v1.3.2"', "`npm test`", "`npm run build`", "`make test`", "`make bench`", "`git status`"),
    "thing": ("branch", "cache", "login page", "rate limiter", "index", "worker pool", "database schema", "test suite",
              "retry loop", "settings form", "build", "parser"),
}  # fmt: skip

TEMPLATES: tuple[tuple[str, ...], ...] = (
    ("Explain what {name} in {path} does.", "Please explain what {name} in {path} does.",
     "Describe what {name} in {path} does", "Could you explain to me what {name} in {path} does?",
     "what does {name} in {path} do? explain it"),
    ("Fix the error {quote} in {path}.", "Please fix the {quote} error in {path}",
     "Repair the error {quote} in {path}", "I get {quote} in {path}, can you fix that error?",
     "Hi, fix the error {quote} in {path}, thanks"),
    ("Set the timeout in {path} to {number} seconds.", "Please set the timeout in {path} to {number} seconds",
     "Change the timeout in {path} to {number} seconds", "The timeout in {path} should be {number} seconds",
     "set timeout in {path} to {number} seconds please"),
    ("Add a test for {name} to {path}.", "Could you add a test for {name} to {path}?",
     "Please add a test of {name} to {path}", "Write a test for {name} in {path}", "add tests for {name} to {path}"),
    ("Enable the {thing} in {path}.", "Please enable the {thing} in {path}.", "Turn on the {thing} in {path}",
     "Can you switch on the {thing} in {path}?", "The {thing} in {path} should be enabled"),
    ("Delete {name} from {path}.", "Remove {name} from {path}.", "Please delete {name} from {path}",
     "{name} is not needed any more in {path}, delete it", "Erase {name} from {path}, thanks"),
    ("Summarise the changes in {path} in {number} words.", "Summarize the changes in {path} in {number} words.",
     "Please summarise the changes in {path} in {number} words",
     "Give me a summary of the changes in {path}, {number} words",
     "Write a summary of the changes in {path} in {number} words"),
    ("Write a commit message for the fix of the {thing} in {path}.",
     "Please write a commit message for the fix of the {thing} in {path}",
     "Compose a commit message for the fix of the {thing} in {path}.",
     "Draft a message for the commit that fixes the {thing} in {path}",
     "Could you write the commit message for the fix of the {thing} in {path}?"),
    ("Write a title of at most {number} characters for a chat about the {thing}.",
     "Please write a title of at most {number} characters for a chat about the {thing}.",
     "Write a heading of at most {number} characters for a chat about the {thing}",
     "Give a chat about the {thing} a title, at most {number} characters",
     "Draft a title of at most {number} characters for a chat about the {thing}"),
    ("How many times is {name} called in {path}?", "How many times is {name} called in {path}",
     "Please tell me how many times {name} is called in {path}.", "Count the calls of {name} in {path}",
     "In {path}, how many times is {name} called?"),
    ("Why does {quote} appear when the {thing} starts?", "Why does {quote} appear when the {thing} begins?",
     "Can you tell me why {quote} appears when the {thing} starts?",
     "What makes {quote} appear when the {thing} starts?",
     "hey, why does {quote} appear when the {thing} starts"),
    ("Show the first {number} lines of {path}.", "Please show me the first {number} lines of {path}",
     "Display the first {number} lines of {path}.", "Print the first {number} lines of {path}, please",
     "I want to see the first {number} lines of {path}"),
    ("Lock the {thing} after {number} attempts.", "Please lock the {thing} after {number} attempts.",
     "The {thing} should be locked after {number} attempts", "Could you lock the {thing} after {number} attempts?",
     "After {number} attempts, lock the {thing}"),
    ("Increase the limit of the {thing} to {number}.", "Raise the limit of the {thing} to {number}.",
     "Please increase the limit of the {thing} to {number}", "Could you raise the {thing} limit to {number}?",
     "Increase the limit of the {thing} up to {number}"),
    ("Does {name} in {path} handle {quote}?", "Please tell me: does {name} in {path} handle {quote}?",
     "Can you check whether {name} in {path} handles {quote}?", "does {name} in {path} handle {quote}?",
     "Is {quote} handled by {name} in {path}?"),
    ("Review {path} and list {number} problems.", "Please review {path} and list {number} problems.",
     "Review {path} and list {number} issues", "Inspect {path} and list {number} problems.",
     "Find {number} problems in {path} and list them"),
)  # fmt: skip
"""Requests, each with rewordings after it."""

OPPOSITE = (
    ("Enable", "Disable"), ("Delete", "Restore"), ("Add", "Remove"), ("Increase", "Decrease"), ("Lock", "Unlock"),
    ("Show the first", "Show the last"), ("at most", "at least"), ("after", "before"), ("Fix", "Ignore"),
    ("starts", "stops"), ("Explain", "Rewrite"), ("Summarise", "Revert"), ("Review", "Delete"), ("Set", "Unset"),
    ("Write", "Delete"), ("How many times", "At which lines"), ("Does", "Should"),
)  # fmt: skip
"""The first word of a pair, where a request has it, as its opposite or as another task."""

NEGATED = (
    lambda text: f"Do not {text[0].lower()}{text[1:]}",
    lambda text: f"{text.rstrip('.?')}, but without the tests{text[-1]}",
    lambda text: f"Never {text[0].lower()}{text[1:]}",
    lambda text: text.replace(" is ", " is not ").replace(" does ", " doesn't ").replace(" in ", " not in "),
)

SYSTEMS = tuple(f"You are a coding agent in the repository {name}." for name in ("shop", "blog", "billing", "search"))

TOOLS = (("Read", "Edit", "Bash"), ("Read", "Edit"), ("Read", "Bash", "WebFetch"))

RESULTS = tuple(f'{{"name": "shop", "version": "{n}.{n + 1}.0"}}' for n in range(1, 9))


def pairs(repeats: int = 600, rewordings: int = 800, near_misses: int = 1600) -> Iterator[Pair]:
    """That many of each; a third of the near misses have the same text in another context."""
    drawn = random.Random(SEED)
    for _ in range(repeats):
        ask = in_context(first(drawn)[0], drawn)
        yield Pair("repeat", ask, ask, same=True)
    for _ in range(rewordings):
        text, template, fields = first(drawn)
        ask = in_context(text, drawn)
        yield Pair("reworded", ask, spoken(ask, drawn.choice(template[1:]).format(**fields), ask.means), same=True)
    for n in range(near_misses):
        yield elsewhere(drawn) if n % 3 == 0 else changed(drawn)


def first(drawn: random.Random) -> tuple[str, tuple[str, ...], Fields]:
    template = drawn.choice(TEMPLATES)
    fields = {name: drawn.choice(values) for name, values in FIELDS.items()}
    return template[0].format(**fields), template, fields


def in_context(text: str, drawn: random.Random) -> Ask:
    made = asked(text, system=drawn.choice(SYSTEMS), tools=drawn.choice(TOOLS))
    return replace(made, means=meaning(made, text))


def meaning(ask: Ask, text: str, before: str = "") -> str:
    """`text` is the first form of what is asked: the rewordings mean the same."""
    return "\n".join((ask.system, *ask.tools, before, text))


def spoken(ask: Ask, text: str, means: str) -> Ask:
    """The same request with another last text."""
    return replace(ask, messages=[*ask.messages[:-1], {"role": "user", "content": text}], means=means)


def changed(drawn: random.Random) -> Pair:
    """The same context, and one thing of the text is another; half of the time it is reworded besides."""
    while True:
        text, template, fields = first(drawn)
        kind = drawn.choice(("field", "field", "opposite", "negation", "swap"))
        form = drawn.choice(template) if drawn.random() < 0.5 else template[0]
        ask = in_context(text, drawn)
        if kind == "field":
            name = drawn.choice([name for name in fields if f"{{{name}}}" in form])
            value = drawn.choice([value for value in FIELDS[name] if value != fields[name]])
            fresh = fields | {name: value}
            means = meaning(ask, template[0].format(**fresh))
            return Pair(f"another {name}", ask, spoken(ask, form.format(**fresh), means), same=False)
        other = CHANGES[kind](form.format(**fields), form, fields, drawn)
        if other is not None and other not in (text, form.format(**fields)):
            return Pair(kind, ask, spoken(ask, other, meaning(ask, other)), same=False)


def change_verb(text: str, form: str, fields: Fields, drawn: random.Random) -> str | None:
    fitting = [(one, other) for one, other in OPPOSITE if one in text]
    if not fitting:
        return None
    one, other = drawn.choice(fitting)
    return text.replace(one, other, 1)


def negate(text: str, form: str, fields: Fields, drawn: random.Random) -> str | None:
    return drawn.choice(NEGATED)(text)


def swap(text: str, form: str, fields: Fields, drawn: random.Random) -> str | None:
    """Two values change places."""
    held = [fields[name] for name in ("path", "name", "quote", "number") if f"{{{name}}}" in form]
    if len(held) < 2:
        return None
    one, other = held[:2]
    return text.replace(one, "\0").replace(other, one).replace("\0", other)


CHANGES: dict[str, Callable[[str, str, Fields, random.Random], str | None]] = {
    "opposite": change_verb, "negation": negate, "swap": swap,
}  # fmt: skip


def elsewhere(drawn: random.Random) -> Pair:
    """The same last text, or a rewording, where something else is not the same."""
    text, template, fields = first(drawn)
    ask = in_context(text, drawn)
    again = text if drawn.random() < 0.5 else drawn.choice(template[1:]).format(**fields)
    kind = drawn.choice(("system", "tools", "result", "turn"))
    other = spoken(ask, again, "")
    if kind == "system":
        other = replace(other, system=drawn.choice([each for each in SYSTEMS if each != ask.system]))
        other = replace(other, means=meaning(other, text))
    elif kind == "tools":
        other = replace(other, tools=drawn.choice([each for each in TOOLS if each != ask.tools]))
        other = replace(other, means=meaning(other, text))
    else:
        one, another = drawn.sample(RESULTS, 2)
        before = with_result if kind == "result" else with_turn
        ask = replace(before(ask, one, text), means=meaning(ask, text, kind + one))
        other = replace(before(ask, another, again), means=meaning(ask, text, kind + another))
    return Pair(f"another {kind}", ask, other, same=False)


def with_result(ask: Ask, result: str, text: str) -> Ask:
    """The text, the tool call that came of it, and its result."""
    use = {"type": "tool_use", "id": "toolu_01", "name": "Read", "input": {"file_path": "package.json"}}
    told = {"type": "tool_result", "tool_use_id": "toolu_01", "content": result}
    talk: list[dict[str, Any]] = [
        {"role": "user", "content": text},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [told]},
    ]
    return replace(ask, messages=talk)


def with_turn(ask: Ask, said: str, text: str) -> Ask:
    """The text after a turn about something."""
    talk = [{"role": "user", "content": f"Look at {said}."}, {"role": "assistant", "content": "Done."}]
    return replace(ask, messages=[*talk, {"role": "user", "content": text}])
