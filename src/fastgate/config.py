"""The structs of fastgate.yaml, every field documented, and `load_config`, which checks all of it at once.

Owns what may be written and its defaults. Must not know how a value reaches the data plane (control/compile.py) nor
what a directory holds (directory.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec

from fastgate.caching.semantic.settings import compiled as compiled_semantic
from fastgate.caching.semantic.settings import missing
from fastgate.caching.settings import CacheSettings
from fastgate.config_alerts import Alerts, alert_faults
from fastgate.config_checks import (
    ADDRESS,
    FORMAT_VERSION,
    HEADER_PREFIX,
    SECRET_TEXT,
    is_loopback,
    split_address,
)
from fastgate.config_endpoints import Endpoint, absolute, check_endpoint, settled, warnings
from fastgate.config_routing import Routing
from fastgate.directory_checks import MAX_PARALLEL, MAX_PER_MINUTE
from fastgate.guards.settings import Guard, compiled
from fastgate.prices.settings import PriceOverride, PriceSettings
from fastgate.proc import usable_cpus
from fastgate.refs import Secret
from fastgate.strict import BAD, Range, Reading, read, read_file
from fastgate.tree import KeyPath, Problem, parse_path

MIN_ADMIN_TOKEN_CHARS = 16
"""Shorter ones draw a warning: 16 characters of base64 are 96 bits."""
MAX_WORKERS = 256
"""Above any machine's use: each worker is a process with its own connections."""

FromFile = Mapping[str, str]


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """The control plane: admin API, metrics and console."""

    LATER: ClassVar[FromFile] = {"oidc": "single sign-on", "tls": "TLS of its own", "roles": "roles"}

    listen: Annotated[str, ADDRESS] = "127.0.0.1:8081"
    """Address and port. Off loopback, whoever reaches it can try the admin token."""
    admin_token: Annotated[Secret, SECRET_TEXT] | None = None
    """Bearer token of the admin API. Absent: one is made once and kept in the state directory, mode 0600."""


class Headers(msgspec.Struct, frozen=True, kw_only=True):
    """Names of the response headers."""

    prefix: Annotated[str, HEADER_PREFIX] = "x-fastgate"
    """Every response header begins with this and a dash."""
    also: tuple[Annotated[str, HEADER_PREFIX], ...] = ()
    """Further prefixes that repeat the five classic headers: model-used, cost, latency-ms, provider, cache."""


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """The data plane's certificate. TLS 1.2 and 1.3. A changed file is taken up within seconds, without a reload."""

    cert: str
    """The certificate chain, PEM, relative to this file."""
    key: str
    """The private key to it, PEM, without a passphrase."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes and deadlines of the data plane. Durations are seconds."""

    body_bytes: Annotated[int, Range(1024, 1 << 30)] = 33_554_432
    """Largest request body; 32 MiB is what the Anthropic API itself takes (API reference, request size limits)."""
    body_s: Annotated[float, Range(1, 3600)] = 120.0
    """How long a client may take to send its body. 32 MiB then need 2.2 Mbit/s, a poor mobile uplink."""
    body_bytes_per_s: Annotated[int, Range(0, 1 << 30)] = 1024
    """How fast a body must arrive at least, on average and after 10 s of grace; 0 asks for nothing. A client below it
    holds a connection and sends next to nothing."""
    connect_s: Annotated[float, Range(0, 300)] = 5.0
    """How long connecting to an endpoint may take, TLS included: TCP's first two retransmissions (1 s, 3 s) fit."""
    first_byte_s: Annotated[float, Range(1, 86400)] = 600.0
    """How long an endpoint may take to begin its answer. The Anthropic SDKs wait 600 s, and an answer that is not
    streamed begins only when it is complete."""
    idle_s: Annotated[float, Range(1, 86400)] = 300.0
    """How long a begun answer may pause, and a client acknowledge nothing of it. Claude Code itself gives up a stream
    after 300 s of silence."""
    total_s: Annotated[float, Range(1, 86400)] = 3600.0
    """How long a whole call may take. An answer that trickles is never idle; the longest real ones, 128,000 tokens at
    the slowest rates, take about half an hour."""
    attempts: Annotated[int, Range(1, 20)] = 3
    """Attempts of one call, all endpoints together, while none of its answer has reached the client."""
    retry_s: Annotated[float, Range(0, 3600)] = 30.0
    """How long after its arrival a call may begin another attempt: less than a person waits for a first word."""
    hold_s: Annotated[float, Range(0, 60)] = 5.0
    """How long a stream is held until its content begins: an error before that can be another attempt's chance."""
    ping_s: Annotated[float, Range(1, 3600)] = 15.0
    """Silence on a stream after which the client gets a ping. Claude Code shows a warning after 20 s."""
    drain_s: Annotated[float, Range(0, 86400)] = 600.0
    """How long open calls may finish when the gateway stops: the longest an SDK would wait for one."""
    keepalive_s: Annotated[float, Range(0, 3600)] = 55.0
    """How long an unused connection to an endpoint is kept: less than the 60 s of common load balancers."""
    requests_per_minute: Annotated[int, Range(0, MAX_PER_MINUTE)] = 0
    """Calls let in of each key that has no limit of its own: a minute's worth at once, then steadily. 0: no limit."""
    tokens_per_minute: Annotated[int, Range(0, MAX_PER_MINUTE)] = 0
    """The same of tokens: input, output and cache writes of finished calls; cache reads are not counted."""
    parallel_calls: Annotated[int, Range(0, MAX_PARALLEL)] = 0
    """Calls in flight of each key that has no limit of its own, over all workers. 0: no limit."""
    calls_in_flight: Annotated[int, Range(1, 8192)] = 8192
    """Calls in flight of one worker, over all keys. From nine tenths of it answers close their connections; beyond it
    new calls get 503 at once. 8,192 is what a worker can account for."""
    connections: Annotated[int, Range(1, 65_536)] = 16_384
    """Connections of one worker at once; those beyond it wait to be accepted. Each needs a file descriptor, and so does
    each call's own to its endpoint. A change takes force at the next start."""
    unknown_usage: Literal["seen", "bound"] = "seen"
    """What a call costs whose usage the provider never stated: what was seen, or the most it can have cost."""
    budget_wait_ms: Annotated[int, Range(0, 60_000)] = 2000
    """How long a call waits, in milliseconds, while only calls in flight hold the rest of a budget. Then it gets less
    output, or a refusal that its client tries again."""
    min_output_tokens: Annotated[int, Range(1, 10_000_000)] = 8192
    """The least output that is worth a call: a budget that pays for less refuses it. Claude Code's answers are longer
    in less than one case in a hundred."""
    server_tool_tokens: Annotated[int, Range(0, 100_000_000)] = 1_000_000
    """What the provider's own tools (web search, code execution, MCP) are taken to read in one call at most, in tokens;
    budgets hold money for it. A call that reads more passes a ceiling by the rest. The provider reads the conversation
    up to ten times in one call: ten times the context window is never passed, and held of every such call."""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """The record of finished calls."""

    retention_days: Annotated[int, Range(1, 36500)] = 400
    """How long records are kept: a year and the month in which it is reported."""
    fsync: Literal["never", "always"] = "never"
    """never: a record survives the death of a process, not of the machine. always: it is on disk before a later one."""
    segment_bytes: Annotated[int, Range(1 << 20, 1 << 31)] = 64 * 1024 * 1024
    """Size at which a new journal file begins: about 100,000 calls, and a file that a tool still opens at ease."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """fastgate.yaml. After `load_config` the paths in it are absolute and base URLs are in their shortest form."""

    LATER: ClassVar[FromFile] = {
        "audit": "audit settings",
        "telemetry": "telemetry export",
        "budgets": "budgets",
        "tuning": "tuning",
        "stores": "other stores",
    }

    version: Annotated[int, FORMAT_VERSION]
    """Version of this file's format: 1."""
    listen: Annotated[str, ADDRESS] = "127.0.0.1:8080"
    """Address and port of the data plane, which takes the calls."""
    tls: Tls | None = None
    """TLS for the data plane. Absent: plain HTTP, for loopback or behind a proxy that ends TLS."""
    control: Control = Control()
    """The control plane."""
    workers: Annotated[int, Range(1, MAX_WORKERS)] | Literal["auto"] = "auto"
    """Number of data-plane processes; auto is one for each processor that the gateway may use."""
    pin_workers: bool = True
    """Whether a busy worker keeps to a processor of its own, where there are as many workers as processors. Not under a
    quota of processor time, nor with another number of workers."""
    state: str = "./fastgate-data"
    """Directory of everything the gateway keeps, relative to this file."""
    headers: Headers = Headers()
    """Names of the response headers."""
    directory: str | None = None
    """directory.yaml, relative to this file: applied at start and on reload."""
    endpoints: tuple[Endpoint, ...]
    """Upstreams, in order of preference."""
    limits: Limits = Limits()
    """Sizes and deadlines of the data plane."""
    guards: tuple[Guard, ...] | None = None
    """What is looked for in requests and answers. Absent: secrets are redacted and injections logged; `[]`: nothing."""
    journal: Journal = Journal()
    """The record of finished calls."""
    cache: CacheSettings | None = None
    """Answers that are given again instead of being bought again. Absent: nothing is kept."""
    routing: Routing = Routing()
    """Which cheaper model a call may get, and why."""
    prices: PriceSettings = PriceSettings()
    """What a call costs, where it is not the list price."""
    alerts: Alerts = Alerts()
    """Who is told when budgets reach their stages and when the gateway needs its operator."""


def worker_count(config: Config) -> int:
    """Data-plane processes to run."""
    return min(usable_cpus(), MAX_WORKERS) if config.workers == "auto" else config.workers


def load_config(path: Path, environ: Mapping[str, str], data: bytes | None = None) -> tuple[Config, list[Problem]]:
    """Read and check a fastgate.yaml: the configuration and what in it deserves a warning. `data` stands in for the
    file's content where the caller has read it.

    Raises ConfigErrors with everything that is wrong. Reads no other file and opens nothing.
    """
    reading = read_file(path, Config, environ) if data is None else read(data, Config, environ, str(path))
    _check_state_form(reading)
    _check_endpoints(reading)
    _check_addresses(reading)
    _check_prices(reading)
    _check_guards(reading)
    _check_cache(reading)
    _check_rules(reading)
    for place, wrong in alert_faults(reading.value.alerts):
        reading.fault(("alerts", *place), wrong)
    config = reading.done()
    return _settle(config, path.absolute().parent), list(_warnings(reading, config))


def _check_state_form(reading: Reading[Config]) -> None:
    entry = reading.root.entries.get("state")
    if entry is None or entry[1].kind != "mapping":
        return
    reading.problems = [problem for problem in reading.problems if problem.path != "state"]
    reading.fault(("state",), "this version of fastgate keeps its state in a directory only; Redis and SQL come later")


def _check_endpoints(reading: Reading[Config]) -> None:
    endpoints = reading.value.endpoints
    if endpoints is BAD:
        return
    if not endpoints and reading.root.entries["endpoints"][1].kind == "list":
        reading.fault(("endpoints",), "at least one endpoint is needed")
    first: dict[str, int] = {}
    for index, endpoint in enumerate(endpoints):
        if endpoint is BAD:
            continue
        path = ("endpoints", index)
        if endpoint.name is not BAD and first.setdefault(endpoint.name, index) != index:
            reading.fault((*path, "name"), f"{endpoint.name} is also the name of endpoints[{first[endpoint.name]}]")
        check_endpoint(reading, endpoint, path)


def _check_addresses(reading: Reading[Config]) -> None:
    listen, control = reading.value.listen, reading.value.control
    if BAD not in (listen, control) and control.listen is not BAD and listen == control.listen:
        reading.fault(("control", "listen"), "is the same address as listen; the two planes need one each")


def _check_prices(reading: Reading[Config]) -> None:
    """Signs here, so that every wrong one is found; the rest by compiling, which stops at the first."""
    prices = reading.value.prices
    if prices is BAD or reading.problems:
        return
    sections: list[tuple[KeyPath, PriceOverride]] = [
        (("prices", "overrides", index), override) for index, override in enumerate(prices.overrides)
    ]
    if prices.worst is not None:
        sections.append((("prices", "worst"), prices.worst))
    for path, section in sections:
        for field, value in msgspec.structs.asdict(section).items():
            if isinstance(value, Decimal) and value < 0:
                reading.fault((*path, field), "must not be negative")
    if sections and not reading.problems:
        from fastgate.prices.catalog import compile_prices

        try:
            compile_prices(prices)
        except (ValueError, OverflowError) as error:
            where, colon, message = str(error).partition(": ")
            named = colon and where.startswith("prices.")
            reading.fault(parse_path(where) if named else ("prices",), message if named else str(error))


def _check_guards(reading: Reading[Config]) -> None:
    """Families, rules and settings that do not exist. Whether a pattern compiles is seen when it is published."""
    guards = reading.value.guards
    if not guards or guards is BAD:
        return
    from fastgate.guards.rows import check
    from fastgate.guards.rule import RuleError

    for index, guard in enumerate(guards):
        if guard is BAD or reading.problems:
            continue
        try:
            check(compiled((guard,))[0])
        except RuleError as error:
            reading.fault(("guards", index), str(error))


def _check_cache(reading: Reading[Config]) -> None:
    cache = reading.value.cache
    if cache is None or cache is BAD or reading.problems or compiled_semantic(cache.semantic) is None:
        return
    if not cache.exact.enabled:
        reading.fault(("cache", "semantic"), "needs cache.exact, which keeps the answers that are given again")
    wrong = missing(cache.semantic)
    if wrong is not None:
        reading.fault(("cache", "semantic"), wrong)


def _check_rules(reading: Reading[Config]) -> None:
    """Globs of rules that no listed model fits; ids may be of models that nobody has listed."""
    rules = reading.value.routing.rules if reading.value.routing is not BAD else ()
    globs = [(index, rule.to) for index, rule in enumerate(rules) if rule is not BAD and rule.to is not BAD]
    if reading.problems or not any("*" in glob or "?" in glob or "[" in glob for _, glob in globs):
        return
    from fastgate.control.cascade import model_of
    from fastgate.prices.catalog import compile_prices

    prices = compile_prices(reading.value.prices)
    for index, glob in globs:
        if model_of(glob, prices) is None:
            reading.fault(("routing", "rules", index, "to"), f"no model with a listed price fits {glob}")


def _settle(config: Config, base: Path) -> Config:
    """Paths made absolute, base URLs shortened and filled."""
    endpoints = tuple(settled(endpoint, base) for endpoint in config.endpoints)
    directory = None if config.directory is None else absolute(base, config.directory)
    tls = config.tls and Tls(cert=absolute(base, config.tls.cert), key=absolute(base, config.tls.key))
    channels = tuple(
        msgspec.structs.replace(channel, ca_file=absolute(base, channel.ca_file)) if channel.ca_file else channel
        for channel in config.alerts.channels
    )
    return msgspec.structs.replace(
        config,
        cache=config.cache and _settle_cache(config.cache, base),
        guards=config.guards and tuple(_settle_guard(guard, base) for guard in config.guards),
        endpoints=endpoints,
        state=absolute(base, config.state),
        directory=directory,
        tls=tls,
        alerts=msgspec.structs.replace(config.alerts, channels=channels),
    )


def _settle_cache(cache: CacheSettings, base: Path) -> CacheSettings:
    embedder = cache.semantic.embedder
    if embedder.kind != "onnx" or not embedder.model:
        return cache
    embedder = msgspec.structs.replace(embedder, model=absolute(base, embedder.model))
    return msgspec.structs.replace(cache, semantic=msgspec.structs.replace(cache.semantic, embedder=embedder))


def _settle_guard(guard: Guard, base: Path) -> Guard:
    file = guard.credentials.file
    if not file:
        return guard
    credentials = msgspec.structs.replace(guard.credentials, file=absolute(base, file))
    return msgspec.structs.replace(guard, credentials=credentials)


def _warnings(reading: Reading[Config], config: Config) -> Iterator[Problem]:
    for index, endpoint in enumerate(config.endpoints):
        yield from warnings(reading, endpoint, ("endpoints", index))
    token = config.control.admin_token
    if token is not None and len(token.reveal()) < MIN_ADMIN_TOKEN_CHARS:
        yield reading.note(("control", "admin_token"), f"is shorter than {MIN_ADMIN_TOKEN_CHARS} characters")
    if not is_loopback(split_address(config.control.listen)[0]):
        yield reading.note(("control", "listen"), "is not loopback: whoever reaches it can try the admin token")
