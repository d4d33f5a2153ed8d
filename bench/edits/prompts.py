"""Labelled prompts for `bounded_edit`: True is a short edit with a clear end. Ours; none is of a real user.

The classifier was adjusted until it fitted `made`, which draws from patterns; `HAND` was written first and is held out:
neither it nor the classifier was changed for what it showed. Figures for real prompts will be lower: what one author
thinks of is easier than life.
"""

from __future__ import annotations

import random

HAND: tuple[tuple[str, bool], ...] = (
    ("rename `fetchUser` to `loadUser` in src/api/user.ts", True),
    ("Fix the typo in README.md: 'recieve' should be 'receive'", True),
    ("bump the version in pyproject.toml to 1.4.2", True),
    ("change the default timeout in config.py from 30 to 60 seconds", True),
    ("remove the unused import os at the top of utils/paths.py", True),
    ("Add a trailing newline to .github/CODEOWNERS.md", True),
    ("set DEBUG to False in settings.py", True),
    ('in Button.tsx make the label text "Save changes" instead of "Submit"', True),
    ("delete line 42 of main.go", True),
    ("uncomment the `listen_tls` line in nginx.cfg.md", True),
    ("replace print() with logger.info() in worker.py line 88", True),
    ('Add `"strict": true` to tsconfig.json', True),
    ("the function get_total misspells 'quantity', please correct it", True),
    ("mark the method parse_legacy as deprecated with a decorator", True),
    ("swap the arguments of assertEqual in test_money.py line 12", True),
    ("Update the copyright year in LICENSE to 2026", True),
    ("move the constant MAX_ROWS above the class in table.py", True),
    ("add a docstring to `normalize_path` saying it returns an absolute path", True),
    ('lower the log level of "cache miss" to debug in cache.py', True),
    ("sort the imports in app/models.py", True),
    ("add the missing semicolon in index.js line 7", True),
    ("Turn `x == None` into `x is None` in parser.py", True),
    ("pin requests to 2.32.3 in requirements.txt", True),
    ("Please change the variable name tmp to order_total inside compute_invoice", True),
    ("append `export PATH` to scripts/env.sh", True),
    ("fix the indentation of lines 10-14 in deploy.yaml", True),
    ('replace the hard-coded "localhost" in client.rb by ENV_HOST', True),
    ("rename the CSS class .btn-main to .btn-primary in header.css", True),
    ("add `node_modules` to the ignore file", True),
    ("swap `<` for `<=` in the loop of find_gap()", True),
    ("give the parameter `limit` of list_orders a default of 50", True),
    ("drop the column comment in schema.sql line 19", True),
    ("Refactor the payment module so that providers are pluggable", False),
    ("why does test_checkout fail on CI but not locally?", False),
    ("explain how the scheduler in worker.py decides what runs next", False),
    ("Implement OAuth login with Google for the dashboard", False),
    ("find the memory leak in the websocket server", False),
    ("write unit tests for utils/paths.py", False),
    ("Migrate the whole code base from JavaScript to TypeScript", False),
    ("review this PR and tell me what you think", False),
    ("add dark mode", False),
    ("make it faster", False),
    ("rename User to Account everywhere, including the database and the API", False),
    ("The build is broken, fix it", False),
    ("fix all the failing tests", False),
    ("design a schema for multi-tenant billing", False),
    ("add pagination to the orders endpoint and update the frontend to use it", False),
    ("Investigate why requests to /v1/search sometimes take 10 s", False),
    ("what does normalize_path() do?", False),
    ("clean up main.py", False),
    ("add error handling to client.py", False),
    ("upgrade Django from 3.2 to 5.1 and fix what breaks", False),
    ("create a CLI that converts CSV to parquet", False),
    ("can you look at the logs and figure out what went wrong", False),
    ("replace our home-grown queue with Redis streams", False),
    ("add retries with exponential backoff to the HTTP client in http.ts", False),
    ("split models.py into one file a table and fix the imports", False),
    ("Make the parser in parse.rs handle nested comments", False),
    ("make sure every endpoint checks permissions", False),
    ("change the session store to be thread-safe", False),
    ("set up CI with linting, tests and a release job", False),
    ("the invoice total is wrong for customers with two discounts, fix it", False),
    ("continue", False),
    ("yes, go ahead", False),
    ("hello", False),
    ("commit this", False),
    ("update the docs", False),
    ("optimise the query in report.sql, it takes a minute", False),
    ("convert the callbacks in upload.js to promises and make the tests green", False),
    ("add caching to get_prices() with sensible invalidation", False),
    ("delete everything that nobody uses any more", False),
)

_FILES = ("src/billing.py", "lib/cart.ts", "internal/store.go", "web/Menu.vue", "core/lexer.rs", "conf/prod.yaml")
_NAMES = ("retry_count", "parseInput", "OrderLine", "MAX_DEPTH", "load_theme", "isReady")
_TEXTS = ('"Welcome back"', "'Sign out'", '"Not found"', "'0.9.1'")

_BOUNDED = (
    "rename {name} to {other} in {file}",
    "please change {text} to {text2} in {file}",
    "In {file}, delete the blank line before {name}",
    "the comment above {name} says seconds, it must say milliseconds; correct it",
    "set {name} to 8 in {file}",
    "{file}: replace {text} by {text2}",
    "add a comma after {text} in {file}",
    "could you put {name} in front of {other} in {file}, they are in the wrong order",
    "make {name} return False for an empty list, one line, in {file}",
    'there is a typo in {file} line {line}, remove the second "the"',
    "swap {name} and {other} in the signature, {file}",
    "add the type int to {name} in {file}",
)

_OPEN_ENDED = (
    "{name} returns the wrong value for some orders, please fix",
    "rework {file} so that it is easier to extend",
    "what would break if I removed {name} from {file}?",
    "add tests around {name}",
    "move everything about money out of {file} into its own package",
    "{file} is too slow with a million rows",
    "port {file} to Kotlin",
    "add an audit log to {file} and show it in the admin pages",
    "look through {file} for bugs",
    "our users say {text} shows up twice, find the cause",
    "make {name} work for streams too, and keep the old behaviour behind a flag",
    "implement {name} in {file} after the paper I linked",
    "extract an interface from {file} and use it in the three services",
    "get {file} to compile again after the upgrade",
    "I want {name} to support several currencies",
    "write a script that checks {file} nightly and sends a mail",
)

SEED = 20_261_127


def made(count: int = 400) -> list[tuple[str, bool]]:
    """Prompts from the patterns, half of them bounded; the same each time."""
    draw = random.Random(SEED)  # a data set, not a secret
    found = []
    for n in range(count):
        label = n % 2 == 0
        name, other = draw.sample(_NAMES, 2)
        text, text2 = draw.sample(_TEXTS, 2)
        pattern = draw.choice(_BOUNDED if label else _OPEN_ENDED)
        prompt = pattern.format(
            name=name, other=other, text=text, text2=text2, file=draw.choice(_FILES), line=draw.randint(2, 400)
        )
        found.append((prompt, label))
    return found
