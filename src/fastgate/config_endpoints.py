"""`endpoints:` of fastgate.yaml: the structs, every field documented, and the checks across one endpoint's fields.

Owns what may be written of an endpoint and where its kind answers by default. Must not know what goes over the wire
(fastgate.providers).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from fastgate.config_checks import BASE_URL, NAME, PLACE, SECRET_TEXT, VERSION_DATE, is_loopback
from fastgate.directory_checks import MAX_PARALLEL, MAX_PER_MINUTE
from fastgate.refs import Secret
from fastgate.strict import BAD, Range, Reading
from fastgate.tree import KeyPath, Problem

ANTHROPIC_BASE_URL = "https://api.anthropic.com"
"""Anthropic's public address (API reference)."""
BEDROCK_BASE_URL = "https://bedrock-runtime.{region}.amazonaws.com"
"""AWS, Amazon Bedrock endpoints and quotas."""
FOUNDRY_BASE_URL = "https://{resource}.services.ai.azure.com/anthropic"
"""Microsoft Foundry, Claude models."""
VERTEX_HOSTS = {
    "global": "aiplatform.googleapis.com",
    "us": "aiplatform.us.rep.googleapis.com",
    "eu": "aiplatform.eu.rep.googleapis.com",
}
"""Locations of Vertex AI that are no single region (Google Cloud, Claude models)."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Where an endpoint's credential comes from, where it is not `api_key` and not the environment."""

    file: str = ""
    """AWS's shared credentials file, or a Google credentials file (service account, workload identity), relative to
    this file."""
    command: tuple[str, ...] = ()
    """A program and its arguments that print a key or token, or JSON as AWS's credential_process prints it. Run off
    the calls' path, again before what it printed ends; every five minutes where it states no end."""


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one key of an endpoint may be asked for. A call that would pass a limit goes to the next key, then to the
    next endpoint. 0: no limit."""

    requests_per_minute: Annotated[int, Range(0, MAX_PER_MINUTE)] = 0
    """A minute's worth at once, then steadily, over all workers."""
    tokens_per_minute: Annotated[int, Range(0, MAX_PER_MINUTE)] = 0
    """The same of tokens: input, output and cache writes of finished calls, as providers count them."""
    parallel: Annotated[int, Range(0, MAX_PARALLEL)] = 0
    """Calls in flight with it, over all workers."""


class EndpointKey(msgspec.Struct, frozen=True, kw_only=True):
    """One of several keys of an endpoint. Sessions are shared out among them and each stays with its key: prompt
    caches are an organisation's, or a workspace's."""

    api_key: Annotated[Secret, SECRET_TEXT]
    """The provider's key, best as `${VAR}`."""
    name: Annotated[str, NAME] | None = None
    """Names it in records and reasons: `endpoint/name`. Without one its number from 1."""
    weight: Annotated[int, Range(1, 10_000)] = 1
    """Its share of the endpoint's new sessions."""
    limits: KeyLimits = KeyLimits()
    """Its limits at the provider."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream that serves Claude models."""

    name: Annotated[str, NAME]
    """Names it in headers, records and reports; unique."""
    kind: Literal["anthropic", "bedrock", "vertex", "foundry", "compatible"]
    """anthropic: Anthropic's own API. bedrock: Amazon Bedrock. vertex: Google Vertex AI. foundry: Microsoft Foundry.
    compatible: any server of Anthropic's Messages API, OpenRouter and another fastgate included."""
    base_url: Annotated[str, BASE_URL] = ""
    """Scheme and host, with a path where the API is not at the root; without `/v1`. Required for `compatible`; else
    the provider's own address, which this overrides for private links and tests."""
    region: Annotated[str, PLACE] = ""
    """bedrock: the AWS region. vertex: the location, also `global`, `us` or `eu`. Required for both."""
    project: Annotated[str, PLACE] = ""
    """vertex: the Google Cloud project. Required there."""
    resource: Annotated[str, PLACE] = ""
    """foundry: the resource's name, which its address begins with. Required there without `base_url`."""
    scope: Literal["", "global", "us", "eu", "apac", "au", "jp", "ca", "us-gov", "none"] = ""
    """bedrock: the inference profiles that models are called by; none: the bare model ids. Empty: by the region."""
    api_key: Annotated[Secret, SECRET_TEXT] | None = None
    """The provider's key, best as `${VAR}`: then it is never written to disk. bedrock and vertex: a bearer token."""
    keys: Annotated[tuple[EndpointKey, ...], msgspec.Meta(max_length=64)] = ()
    """Several keys in place of `api_key`, each with health and limits of its own. A 429 or a refusal of one is
    followed by the next before another endpoint is tried."""
    credentials: Credentials = Credentials()
    """A file or a command in place of `api_key`. Without any of them bedrock takes AWS's environment variables, then
    its shared file; vertex takes Google's application default credentials."""
    profile: str = ""
    """bedrock: the profile in AWS's shared credentials file."""
    auth: Literal["x-api-key", "bearer"] = "x-api-key"
    """How the key is sent: in `x-api-key`, or in `authorization: Bearer`. bedrock and vertex: always as theirs."""
    anthropic_version: Annotated[str, VERSION_DATE] = "2023-06-01"
    """The `anthropic-version` header for calls that send none."""
    pin: bool = False
    """Whether `anthropic_version` also replaces the version that a client sends."""
    models: dict[str, str] = {}
    """This endpoint's ids by model, before the built-in table: a deployment, an ARN, a version."""
    models_only: bool = False
    """Whether it serves no model but those of `models`."""
    betas: tuple[str, ...] | None = None
    """Globs of the betas that are sent on, in place of the kind's own list; `["*"]` is all."""
    fields: dict[str, Literal["keep", "drop", "refuse"]] = {}
    """What is done about fields of a request: keep sends them, drop leaves field and beta out and says so, refuse
    passes this endpoint over. Before the kind's own rules (docs/endpoints.md)."""
    priority: Annotated[int, Range(0, 999)] = 0
    """Lower goes first; endpoints of one priority go in the order of this file."""
    weight: Annotated[int, Range(0, 10_000)] = 1
    """strategy weighted: its share of new sessions, as a part of the weights of all. 0: only when no other can."""
    ca_file: str = ""
    """PEM file of the authorities trusted for this endpoint, relative to this file; empty: the system's."""


NEEDS: dict[str, tuple[str, ...]] = {"bedrock": ("region",), "vertex": ("region", "project")}
OWN_KINDS: dict[str, tuple[str, ...]] = {
    "region": ("bedrock", "vertex"),
    "project": ("vertex",),
    "resource": ("foundry",),
    "scope": ("bedrock",),
    "profile": ("bedrock",),
}
"""Fields that mean something to some kinds only; elsewhere they are mistakes."""


def check_endpoint(reading: Reading[Any], endpoint: Any, path: KeyPath) -> None:
    """Fault what does not go together in one endpoint. Parts that could not be read are BAD and passed over."""
    kind = endpoint.kind
    if kind is BAD:
        return
    for field in NEEDS.get(kind, ()):
        if getattr(endpoint, field) == "":
            reading.fault((*path, field), f"missing; a {kind} endpoint needs one")
    for field, kinds in OWN_KINDS.items():
        if kind not in kinds and getattr(endpoint, field) not in ("", (), BAD):
            reading.fault((*path, field), f"has no meaning for a {kind} endpoint")
    if kind == "compatible" and endpoint.base_url == "":
        reading.fault((*path, "base_url"), "missing; a compatible endpoint needs one")
    if kind == "foundry" and endpoint.base_url == "" and endpoint.resource == "":
        reading.fault((*path, "resource"), "missing; a foundry endpoint needs its resource, or a base_url")
    _check_credentials(reading, endpoint, path)


def _check_credentials(reading: Reading[Any], endpoint: Any, path: KeyPath) -> None:
    given = endpoint.credentials
    if BAD in (given, endpoint.api_key, endpoint.keys):
        return
    sources = {
        "api_key": endpoint.api_key is not None,
        "keys": bool(endpoint.keys),
        "credentials.file": bool(given.file),
        "credentials.command": bool(given.command),
    }
    named = [name for name, there in sources.items() if there]
    if len(named) > 1:
        reading.fault((*path, named[1].partition(".")[0]), f"there is {named[0]} already; an endpoint has one of them")
    if not named and endpoint.kind in ("anthropic", "foundry"):
        reading.fault((*path, "api_key"), f"missing; {article(endpoint.kind)} endpoint needs one")
    if given.file and endpoint.kind not in ("bedrock", "vertex"):
        reading.fault((*path, "credentials", "file"), f"has no meaning for a {endpoint.kind} endpoint; use command")
    _check_keys(reading, endpoint, path)
    if endpoint.kind != "anthropic" or endpoint.base_url != "":
        return
    written: list[tuple[KeyPath, Any]] = [((*path, "api_key"), endpoint.api_key)]
    written += [((*path, "keys", at, "api_key"), key.api_key) for at, key in enumerate(endpoint.keys) if key is not BAD]
    for where, secret in written:
        if isinstance(secret, Secret) and secret.reveal().startswith("sk-fg-"):
            reading.fault(where, "is a fastgate key; Anthropic needs one of its own (sk-ant-...)")


def _check_keys(reading: Reading[Any], endpoint: Any, path: KeyPath) -> None:
    """Names of keys are one each; a key's number is its name where it has none."""
    first: dict[str, int] = {}
    for index, key in enumerate(endpoint.keys):
        if key is BAD or key.name is BAD:
            continue
        name = key.name or str(index + 1)
        if first.setdefault(name, index) != index:
            reading.fault((*path, "keys", index), f"{name} is also the name of keys[{first[name]}]")


def article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def settled(endpoint: Endpoint, base: Path) -> Endpoint:
    """With absolute paths, and the base URL filled and in its shortest form."""
    credentials = endpoint.credentials
    if credentials.file:
        credentials = msgspec.structs.replace(credentials, file=absolute(base, credentials.file))
    return msgspec.structs.replace(
        endpoint,
        base_url=(endpoint.base_url or default_base_url(endpoint)).rstrip("/").removesuffix("/v1"),
        ca_file=absolute(base, endpoint.ca_file) if endpoint.ca_file else "",
        credentials=credentials,
    )


def default_base_url(endpoint: Endpoint) -> str:
    if endpoint.kind == "bedrock":
        return BEDROCK_BASE_URL.format(region=endpoint.region)
    if endpoint.kind == "foundry":
        return FOUNDRY_BASE_URL.format(resource=endpoint.resource)
    if endpoint.kind == "vertex":
        return f"https://{VERTEX_HOSTS.get(endpoint.region, f'{endpoint.region}-aiplatform.googleapis.com')}"
    return ANTHROPIC_BASE_URL


def absolute(base: Path, path: str) -> str:
    return os.path.normpath(base / Path(path).expanduser())


def warnings(reading: Reading[Any], endpoint: Endpoint, path: KeyPath) -> Iterator[Problem]:
    """What in a good endpoint deserves a second look."""
    url = endpoint.base_url
    if url.rstrip("/").endswith("/v1"):
        yield reading.note((*path, "base_url"), "ends in /v1, which the gateway adds itself; taken without it")
    given = (endpoint.credentials.command, endpoint.credentials.file)
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or not (endpoint.api_key or endpoint.keys or any(given)):
        return
    if parts.scheme == "http":
        yield reading.note((*path, "base_url"), "is plain http: the key crosses the network in the clear")
    written = [] if endpoint.api_key is None else [((*path, "api_key"), endpoint.api_key)]
    written += [((*path, "keys", at, "api_key"), key.api_key) for at, key in enumerate(endpoint.keys)]
    for where, secret in written:
        if "${" not in secret.reference:
            yield reading.note(where, "stands in the file; as ${VAR} it would never be written to disk")
