"""The demo's world: one org, two teams, three developers with a fixed key each, and the files that declare them.

The keys are public, on purpose: a second start prints the same ones. So the demo listens on loopback only, and keeps
its state apart from that of a real gateway in the same folder, which must never learn these keys.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from fastgate.keys import PREFIX, RANDOM_CHARS, checksum

ORG = "acme"
TEAMS = {"platform": "CC-1001", "research": "CC-1002"}
"""Team and its cost centre."""

MODEL = "claude-sonnet-4-5"
DENIED_MODEL = "claude-opus-4-5"
"""A model that carol's key may not use."""


@dataclass(frozen=True)
class Developer:
    """One person with one key."""

    user: str
    team: str
    models: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.user}-laptop"

    @property
    def secret(self) -> str:
        """A well-formed virtual key that says what it is."""
        random_part = f"demo{self.user.capitalize()}LoopbackOnly".ljust(RANDOM_CHARS, "0")
        return PREFIX + random_part + checksum(random_part)

    @property
    def cost_center(self) -> str:
        return TEAMS[self.team]


ALICE = Developer("alice", "platform")
BOB = Developer("bob", "platform")
CAROL = Developer("carol", "research", ("claude-sonnet-*", "claude-haiku-*"))
DEVELOPERS = (ALICE, BOB, CAROL)


def directory_yaml() -> str:
    """The demo's directory."""
    lines = [
        "# Written by `fastgate demo` at each start. These keys are public: never use them beyond loopback.",
        "orgs:",
        f"  - {{id: {ORG}, name: Acme}}",
        "cost_centers:",
        *(f"  - {{id: {center}, owner: lead-of-{team}@acme.example}}" for team, center in TEAMS.items()),
        "teams:",
        *(f"  - {{id: {team}, org: {ORG}, cost_center: {center}}}" for team, center in TEAMS.items()),
        "users:",
        *(f"  - {{id: {dev.user}, team: {dev.team}, email: {dev.user}@acme.example}}" for dev in DEVELOPERS),
        "budgets:",
        *(f"  - {{id: {dev.user}-month, level: user, of: {dev.user}, period: month, usd: 50}}" for dev in DEVELOPERS),
        *(f"  - {{id: {team}-month, level: team, of: {team}, period: month, usd: 500}}" for team in TEAMS),
        '  - {id: one-session, level: tag, of: "session=*", period: total, usd: 40}    # no session runs away',
        "keys:",
    ]
    for dev in DEVELOPERS:
        models = f", models: {json.dumps(list(dev.models))}" if dev.models else ""
        lines.append(f"  - {{id: {dev.key}, user: {dev.user}, secret: {dev.secret}{models}}}")
    return "\n".join(lines) + "\n"


def config_yaml(listen: str, control: str, workers: int, providers: dict[str, str]) -> str:
    """The demo's configuration. `providers` is name -> base URL of a simulator; none means the real Anthropic."""
    endpoints = [
        f"  - {{name: {name}, kind: anthropic, base_url: {url}, api_key: scripted-provider}}"
        for name, url in providers.items()
    ] or ["  - {name: anthropic, kind: anthropic, api_key: ${ANTHROPIC_API_KEY}}"]
    lines = [
        "# Written by `fastgate demo` at each start; change it while the demo runs and SIGHUP reloads it.",
        "version: 1",
        f"listen: {listen}",
        f"control: {{listen: {control}}}",
        f"workers: {workers}",
        "state: .",
        "headers: {prefix: x-fastgate, also: [x-agentcc]}",
        "directory: directory.yaml",
        "endpoints:",
        *endpoints,
        "limits: {drain_s: 30}",
        "cache:",
        "  exact: {namespace: session}  # repeats within one Claude Code session; try team",
        f"  semantic: {{mode: '{reworded()}', namespace: session}}  # and rewordings that name the same",
    ]
    return "\n".join(lines) + "\n"


def reworded() -> str:
    """Whether rewordings are answered: where what that needs is installed."""
    from fastgate.caching.semantic.settings import SemanticCache, missing

    return "on" if missing(SemanticCache(mode="on")) is None else "off"


def write_files(state: Path, config: str) -> Path:
    """Writes both files into the demo's state directory; returns the configuration's path."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    (state / "directory.yaml").write_text(directory_yaml(), encoding="utf-8")
    path = state / "fastgate.yaml"
    path.write_text(config, encoding="utf-8")
    return path


def exports(listen: str, secret: str) -> list[str]:
    """The lines that point Claude Code at the gateway."""
    host = listen.rpartition(":")[0]
    return [
        f"export ANTHROPIC_BASE_URL=http://{listen}",
        f"export ANTHROPIC_AUTH_TOKEN={secret}",
        "export CLAUDE_CODE_GATEWAY_HINT_HEADERS=1",
        "export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
        f"export NO_PROXY={host}",
    ]


def curl_line(
    listen: str, secret: str, *extra: str, prompt: str = "say hi", model: str = MODEL, stream: bool = False
) -> str:
    """One call as a shell command."""
    body: dict[str, object] = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": prompt}]}
    if stream:
        body["stream"] = True
    flags = " ".join(("curl -s", *extra))
    head = f"-H 'x-api-key: {secret}' -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01'"
    return f"{flags} http://{listen}/v1/messages {head} -d '{json.dumps(body)}'"
