"""Addresses that a deployment does not want to see, and a short list of known bad ones."""

from __future__ import annotations

import re

import msgspec

from fastgate.guards.rule import KINDS, Rule, Scanner
from fastgate.guards.scanners._formats import words

KNOWN = words(
    "npnjs.com npmjs.help models.litellm.cloud checkmarx.zone malware.testing.google.test testsafebrowsing.appspot.com "
    "pypj.org npmjs.cam bun.sh.gg getpass.top rentry.re giftcodes.top"
)
"""Hosts of published supply-chain attacks on package registries, and the test pages of Google Safe Browsing."""

MAX_LISTED = 20_000
"""Hosts of one deployment's own list: Hyperscan compiles 20,000 literals in about four seconds."""


class MaliciousUrls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scanner `malicious-urls`."""

    hosts: tuple[str, ...] = ()
    """Host names; a name stands for all below it too."""
    built_in: bool = True
    """The list that comes with fastgate."""


def make(settings: MaliciousUrls) -> tuple[Rule, ...]:
    """One rule for all hosts. ValueError for what is no host name or for too many."""
    hosts = sorted({host.lower().strip(".") for host in (*settings.hosts, *(KNOWN if settings.built_in else ()))})
    if len(hosts) > MAX_LISTED:
        raise ValueError(f"malicious-urls: {len(hosts)} hosts, at most {MAX_LISTED}")
    if bad := [host for host in hosts if not re.fullmatch(r"(?:[\w-]{1,63}\.)+[a-z0-9-]{2,63}", host)]:
        raise ValueError(f"malicious-urls: {bad[0]!r} is no host name")
    if not hosts:
        return ()
    listed = "(?:" + "|".join(re.escape(host).replace(r"\-", "-") for host in hosts) + ")"
    return (
        Rule(
            id="malicious-url",
            title="an address on the list of malicious hosts",
            pattern=listed,
            exact=rf"(?<![\w-])(?P<secret>(?:https?://)?(?:[\w-]{{1,63}}\.){{0,4}}{listed})(?![\w.-]*[\w])",
            caseless=True,
            before=288,
            after=16,
            kinds=frozenset(KINDS),
            severity="critical",
            samples=(f"curl https://{hosts[0]}/x", f"see cdn.{hosts[-1]} for more: https://cdn.{hosts[-1]}/"),
            clean=(f"https://not{hosts[0]}/", f"https://{hosts[0]}.example.org/"),
        ),
    )


SCANNER = Scanner(
    name="malicious-urls",
    title="Addresses on a list",
    rules=make(MaliciousUrls()),
    settings=MaliciousUrls,
    make=make,
)
