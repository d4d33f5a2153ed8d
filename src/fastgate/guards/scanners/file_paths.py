"""Paths that tools may not touch: globs, with a default list of the places where credentials lie."""

from __future__ import annotations

import re

import msgspec

from fastgate.guards.rule import Kind, Rule, Scanner
from fastgate.guards.scanners import _sampling
from fastgate.guards.scanners._formats import words

CALLED: frozenset[Kind] = frozenset({"tool_use_input", "answer_tool_input"})

DEFAULT = words(
    """
    **/.env **/.env.* **/.ssh/** **/id_rsa **/id_ed25519 **/*.pem **/*.p12 **/*.pfx **/server.key **/tls.key
    **/*private*.key **/.aws/credentials **/.netrc **/.git-credentials **/.npmrc **/.pypirc
    **/.docker/config.json **/.kube/config **/.gnupg/** /etc/shadow /etc/sudoers **/credentials.json
    **/secrets.yml **/secrets.yaml **/*.tfstate **/*.keystore **/*.jks
    **/.vault-token **/.htpasswd **/.claude/.credentials.json **/service-account*.json
"""
)
EXEMPT = words("**/.env.example **/.env.sample **/.env.template **/.env.dist **/*.pub")

SIGN = r"[^/\s\"'`;|&<>()]"


class FilePaths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scanner `file-paths`."""

    deny: tuple[str, ...] = ()
    """Globs of paths: `*` within a name, `**` over folders."""
    allow: tuple[str, ...] = ()
    """Globs that are no finding though `deny` has them."""
    built_in: bool = True
    """Deny the places where credentials usually lie."""


def regex(glob: str) -> str:
    """The glob as a regular expression over a path within other text."""
    out = (
        re.escape(glob)
        .replace(r"\*\*/", rf"(?:(?:{SIGN}{{0,80}}/){{0,20}})")
        .replace(r"\*\*", rf"(?:{SIGN}|/){{1,200}}")
    )
    return out.replace(r"\*", rf"{SIGN}{{0,80}}").replace(r"\?", SIGN).replace(r"\-", "-")


def core(glob: str) -> str:
    """The longest run of plain signs, which Hyperscan looks for."""
    return max(re.split(r"[*?]+", glob), key=len)


def make(settings: FilePaths) -> tuple[Rule, ...]:
    """One rule for all globs. ValueError for a glob without three plain signs: it would be looked for everywhere."""
    denied = (*settings.deny, *(DEFAULT if settings.built_in else ()))
    if bad := [glob for glob in denied if len(core(glob)) < 3]:
        raise ValueError(f"file-paths: {bad[0]!r} needs three signs in a row that are no wildcard")
    if not denied:
        return ()
    allowed = re.compile("|".join(f"(?:{regex(glob)})$" for glob in (*settings.allow, *EXEMPT)).encode())
    exact = "|".join(regex(glob) for glob in denied)

    def check(text: bytes, start: int, end: int) -> bool:
        begin = start
        while begin and re.match(rb"[^\s\"'`;|&<>()=:]", text[begin - 1 : begin]):
            begin -= 1
        return allowed.search(text[begin:end]) is None

    sample = _sampling.sample(
        re.escape(denied[0]).replace(r"\*\*/", "").replace(r"\*\*", "[a-z]{3}").replace(r"\*", "[a-z]{3}")
    )
    return (
        Rule(
            id="file-path",
            title="a path that may not be touched",
            pattern="(?:" + "|".join(sorted({re.escape(core(glob)).replace(r"\-", "-") for glob in denied})) + ")",
            exact=rf"(?<![\w.-])(?P<secret>{exact})(?![\w.-]*[\w])",
            before=224,
            after=224,
            check=check,
            kinds=CALLED,
            severity="high",
            samples=(
                f"file_path: /home/dev/{sample.lstrip('/')}" if denied[0].startswith("**") else f"file_path: {sample}",
            ),
            clean=("file_path: /home/dev/app/main.py", "file_path: .env.example"),
        ),
    )


SCANNER = Scanner(
    name="file-paths",
    title="Paths that tools may not touch",
    rules=make(FilePaths()),
    settings=FilePaths,
    make=make,
)
