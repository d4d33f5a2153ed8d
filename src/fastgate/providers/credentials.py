"""Credentials of endpoints: where each comes from, and renewing those that end ahead of their end.

A credential is a string (a key or a bearer token) or AwsKeys. It comes from the configuration, the environment, a file
or a command; Google's tokens from `google.py`. Nothing here is ever logged or written, and messages name sources only.
Fetching blocks, so it runs on a thread, never on the loop.
"""

from __future__ import annotations

import asyncio
import configparser
import logging
import shlex
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from fastgate.clock import wall_ns
from fastgate.errors import provider_credential
from fastgate.providers.sigv4 import AwsKeys

log = logging.getLogger("fastgate.credentials")

RENEW_AHEAD_NS = 300 * 1_000_000_000
"""Google's and AWS's own libraries renew 4 to 15 minutes ahead; five leaves time for a provider's bad minute."""

RETRY_NS = 5 * 1_000_000_000
"""Pause after a renewal that failed."""

REREAD_NS = 300 * 1_000_000_000
"""A file or a command that states no end is asked again after five minutes, as Claude Code does with apiKeyHelper."""

COMMAND_S = 30.0
"""How long a command may take; `aws sso` and `gcloud` need seconds."""

Value: TypeAlias = "str | AwsKeys"


class Fetched(NamedTuple):
    """A credential and when it ends, in wall nanoseconds; 0 is never."""

    value: Value
    expires_ns: int = 0

    def __repr__(self) -> str:
        return "Fetched(***)"


class CredentialError(Exception):
    """A credential cannot be had. The message names the source and what is wrong, never a secret."""


Fetch: TypeAlias = Callable[[], Fetched]


class Rotating:
    """A credential that ends. `value` is the one in force; it stays in force while renewing it fails and it holds."""

    def __init__(self, name: str, fetch: Fetch) -> None:
        self.name = name
        self.fetch = fetch
        self.value: Value | None = None
        self.expires_ns = 0
        self._renew_ns = 0
        self._task: asyncio.Task[None] | None = None
        self._failure = ""

    @property
    def fresh(self) -> bool:
        """Whether `value` can be sent now."""
        return self.value is not None and (not self.expires_ns or wall_ns() < self.expires_ns)

    def tend(self) -> None:
        """Begin to renew where it is time to; called once a second and cheap."""
        if self._task is None and wall_ns() >= self._renew_ns > 0:
            self._begin()

    async def ready(self) -> None:
        """Wait until there is a fresh value. CredentialError where none can be had."""
        if self.fresh:
            return
        if self._task is None:
            self._begin()
        assert self._task is not None
        await asyncio.shield(self._task)
        if not self.fresh:
            raise CredentialError(self._failure or f"{self.name} gave a credential that has ended already")

    async def ready_for(self, endpoint: str) -> None:
        """The same for a call to `endpoint`. GatewayError where no value can be had."""
        try:
            await self.ready()
        except CredentialError as exc:
            log.error("%s", exc)
            raise provider_credential(endpoint) from None

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._fetch())

    async def _fetch(self) -> None:
        now_ns = wall_ns()
        try:
            fetched = await asyncio.get_running_loop().run_in_executor(None, self.fetch)
        except CredentialError as exc:
            self._failure = str(exc)
            self._renew_ns = now_ns + RETRY_NS
            log.error("%s; %s", exc, "the one in force still holds" if self.fresh else "calls to it fail")
        else:
            self.value, self.expires_ns = fetched
            lifetime_ns = max(0, fetched.expires_ns - now_ns)
            self._renew_ns = fetched.expires_ns and now_ns + max(lifetime_ns // 2, lifetime_ns - RENEW_AHEAD_NS)
        finally:
            self._task = None


# ---- AWS ------------------------------------------------------------------------------------------------------------


def aws_from_environ(environ: Mapping[str, str]) -> Value | None:
    """AWS's own variables: a Bedrock bearer token, or keys; None where neither is set."""
    bearer = environ.get("AWS_BEARER_TOKEN_BEDROCK")
    if bearer:
        return bearer
    access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    return AwsKeys(access, secret, environ.get("AWS_SESSION_TOKEN", "")) if access and secret else None


def aws_from_file(path: str, profile: str) -> Fetched:
    """A profile of AWS's shared credentials file: keys, or a `credential_process`."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(Path(path).expanduser().read_text())
    except (OSError, UnicodeDecodeError, configparser.Error):
        raise CredentialError(f"the AWS credentials file {path} cannot be read") from None
    section = next((name for name in (profile, f"profile {profile}") if parser.has_section(name)), None)
    if section is None:
        raise CredentialError(f"the AWS credentials file {path} has no profile {profile}")
    values = dict(parser.items(section))
    if "aws_access_key_id" in values and "aws_secret_access_key" in values:
        keys = AwsKeys(
            values["aws_access_key_id"], values["aws_secret_access_key"], values.get("aws_session_token", "")
        )
        return Fetched(keys, wall_ns() + REREAD_NS)
    if "credential_process" in values:
        return from_command(tuple(shlex.split(values["credential_process"])))
    raise CredentialError(f"profile {profile} of {path} has neither keys nor a credential_process")


# ---- Commands -------------------------------------------------------------------------------------------------------


class _Printed(msgspec.Struct):
    """What AWS's credential_process prints, or a token in the form that `gcloud` and `az` print."""

    access_key: str = msgspec.field(default="", name="AccessKeyId")
    secret_key: str = msgspec.field(default="", name="SecretAccessKey")
    session_token: str = msgspec.field(default="", name="SessionToken")
    expiration: str = msgspec.field(default="", name="Expiration")
    token: str = ""
    access_token: str = ""
    azure_token: str = msgspec.field(default="", name="accessToken")
    expires_in: float = 0
    expiry: str = ""


def from_command(command: tuple[str, ...]) -> Fetched:
    """What a command prints: a bare key or token, or JSON as AWS's credential_process, `gcloud` and `az` print it."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S, check=False)
    except (OSError, subprocess.SubprocessError) as exc:
        raise CredentialError(f"the credential command {command[0]} did not run ({type(exc).__name__})") from None
    if done.returncode:
        raise CredentialError(f"the credential command {command[0]} ended with status {done.returncode}")
    text = done.stdout.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise CredentialError(f"the credential command {command[0]} printed no key, token or JSON")
        return Fetched(text, wall_ns() + REREAD_NS)
    try:
        printed = msgspec.json.decode(text, type=_Printed)
    except msgspec.MsgspecError:
        raise CredentialError(f"the credential command {command[0]} printed JSON of an unknown form") from None
    return _of_printed(printed, command[0])


def _of_printed(printed: _Printed, source: str) -> Fetched:
    expires_ns = wall_ns() + REREAD_NS
    stated = printed.expiration or printed.expiry
    if stated:
        expires_ns = _moment_ns(stated, source)
    elif printed.expires_in:
        expires_ns = wall_ns() + int(printed.expires_in) * 1_000_000_000
    if printed.access_key and printed.secret_key:
        return Fetched(AwsKeys(printed.access_key, printed.secret_key, printed.session_token), expires_ns)
    token = printed.token or printed.access_token or printed.azure_token
    if not token:
        raise CredentialError(f"the credential command {source} printed JSON without a key or token")
    return Fetched(token, expires_ns)


def _moment_ns(text: str, source: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CredentialError(f"{source} stated an end that is no time") from None
    if at.tzinfo is None:
        raise CredentialError(f"{source} stated an end without a time zone")
    return int(at.timestamp() * 1e9)
