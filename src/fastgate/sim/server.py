"""The scripted upstream: Anthropic's routes, decided here, from the settings, the script and the conversation.

    POST /v1/messages   POST /v1/messages/count_tokens   GET /v1/models[/ID]   HEAD|GET / and /api/hello
    POST|GET|DELETE /__sim/script   GET|DELETE /__sim/log   POST /__sim/reset   GET /__sim/health

`Simulator` runs inside a test's event loop or, from `python -m fastgate.sim`, as its own process.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from itertools import count
from pathlib import Path

import msgspec

from fastgate.sim.admin import administer
from fastgate.sim.behaviour import HEALTHY, Behaviour, DirectiveError, Scenario, Step
from fastgate.sim.connection import Connection, Exchange, Work
from fastgate.sim.conversation import BadRequestError, Brief, Conversation, peek
from fastgate.sim.dialects import Dialect, credential, framed, read_bedrock, read_vertex
from fastgate.sim.faults import Piece, Plan, plan_stream, plan_whole
from fastgate.sim.log import Log, Started
from fastgate.sim.models import model_list, model_named
from fastgate.sim.plain import PLAIN, PlainAnswers
from fastgate.sim.plainwire import PlainConnection
from fastgate.sim.render import Answer, encode
from fastgate.sim.scenario import reply_to
from fastgate.sim.script import Script
from fastgate.sim.usage import NOTHING, Usage, tokens_of

ACCEPT_BACKLOG = 4096
"""Load tests open hundreds of connections at once; the kernel caps it at net.core.somaxconn."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulator differs from a healthy provider that accepts any credential."""

    dialect: Dialect = "anthropic"
    scenario: Scenario = "auto"
    keys: frozenset[str] = frozenset()
    """Accepted credentials; empty accepts any, but not none."""
    log: Path | None = None
    bodies: Path | None = None
    memory_log: bool = True
    tls_cert: Path | None = None
    tls_key: Path | None = None
    gap_ms: float = 0.0
    """Between the events of every stream (not in the scenario plain)."""
    tokens: int = 0
    """Length of text answers; 0 leaves the scenario's own."""


class Simulator:
    """One listening provider. `await start()`, use `url`, `script` and `log`, `await close()`."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.script = Script()
        s = self.settings
        self.log = Log(s.log, memory=s.memory_log, bodies=s.bodies)
        self.transports: set[asyncio.Transport] = set()
        self.closing = False
        self.port = 0
        self.host = ""
        self._server: asyncio.Server | None = None
        self._numbers = count(1)
        self._connection_numbers = count(1)
        self._prefix = f"{os.getpid():x}x".encode()
        self._plain = PlainAnswers(s.tokens or PlainAnswers.TOKENS) if s.scenario == "plain" else None

    @property
    def url(self) -> str:
        return f"{'https' if self.settings.tls_cert else 'http'}://{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, reuse_port: bool = False) -> None:
        """Listen; port 0 takes a free one."""
        tls = None
        if self.settings.tls_cert is not None:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(self.settings.tls_cert, self.settings.tls_key)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._connect,
            host,
            port,
            ssl=tls,
            backlog=ACCEPT_BACKLOG,
            reuse_port=reuse_port or None,
        )
        self.host, self.port = self._server.sockets[0].getsockname()[:2]

    def _connect(self) -> asyncio.BaseProtocol:
        if self._plain is not None and not self.log.enabled:
            return PlainConnection(self._plain_answer, self._connect_general, self.transports)
        return self._connect_general()

    def _connect_general(self) -> Connection:
        return Connection(self, next(self._connection_numbers))

    async def close(self) -> None:
        """Stop at once: open answers are cut off."""
        self.closing = True
        if self._server is not None:
            self._server.close()
        for transport in list(self.transports):
            transport.abort()
        await asyncio.sleep(0)
        self.log.close()

    # -- what a connection asks -----------------------------------------------------------------------------------

    def _plain_answer(self, brief: Brief, body_bytes: int) -> bytes | None:
        """The ready answer of the scenario `plain`, where nothing has to be logged or scripted."""
        if self._plain is None or self.script.steps:
            return None
        return self._plain.answer(brief, body_bytes, self._number())

    def plan(self, exchange: Exchange) -> Work:
        """Decide the answer to a request and write the line of its start."""
        path = exchange.target.decode("latin-1").partition("?")[0]
        if path.startswith("/__sim/"):
            return Work("", administer(self.script, self.log, exchange, path), NOTHING, 0)
        number = self._number().decode()
        work, started = self._routed(exchange, path, number)
        if self.log.enabled:
            started.body_sha256 = self.log.keep_body(number, exchange.body)
            self.log.add(started)
        return work

    def finished(self, work: Work, gone_ns: int) -> None:
        """Write the line of an answer's end."""
        if work.id and self.log.enabled:
            self.log.add(work.ended(gone_ns))

    def _number(self) -> bytes:
        return self._prefix + b"%x" % next(self._numbers)

    # -- routes -----------------------------------------------------------------------------------------------------

    def _routed(self, exchange: Exchange, path: str, number: str) -> tuple[Work, Started]:
        started = Started(
            id=number,
            pid=os.getpid(),
            at_ns=exchange.at_ns,
            method=exchange.method,
            path=exchange.target.decode("latin-1"),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in exchange.headers],
            body_bytes=exchange.size,
            body_sha256="",
            connection=exchange.connection,
        )
        request_id = f"req_sim{number}"
        try:
            work = self._answer(exchange, path, number, started)
        except (BadRequestError, DirectiveError) as error:
            work = self._refusal(400, str(error), number)
        except PermissionError as error:
            work = self._refusal(403 if self.settings.dialect == "bedrock" else 401, str(error), number)
        except LookupError:
            work = self._refusal(404, f"Not found: {path} ({request_id})", number)
        started.status, started.usage = work.plan.status, work.usage
        return work, started

    def _refusal(self, status: int, message: str, number: str) -> Work:
        refused = Behaviour(status=status, message=message)
        plan = plan_whole(b"", refused, f"req_sim{number}", dialect=self.settings.dialect)
        return Work(number, plan, NOTHING, 0)

    def _answer(self, exchange: Exchange, path: str, number: str, started: Started) -> Work:
        if path in ("/", "/api/hello"):
            return self._free(b"", HEALTHY, number, exchange.method)
        if self._plain is not None and path == "/v1/messages" and not self.script.steps:
            return self._plain_work(self._plain, exchange, number, started)
        path, body = self._asked(exchange, path)
        if path in ("/v1/messages", "/v1/messages/count_tokens") and exchange.method == "POST":
            conversation = Conversation(body)
            behaviour = self._behaviour(path, conversation, exchange)
            request = conversation.request
            started.model, started.stream = request.model, request.stream
            started.session, started.turn = conversation.session, conversation.turn
            started.behaviour = msgspec.to_builtins(behaviour)
            if path.endswith("count_tokens"):
                field = "inputTokens" if self.settings.dialect == "bedrock" else "input_tokens"
                return self._free(encode({field: tokens_of(len(body))}), behaviour, number)
            if behaviour.status == 200:
                conversation.check()
            return self._message(conversation, behaviour, number)
        behaviour = self._behaviour(path, None, exchange)
        if path == "/v1/models" and exchange.method == "GET":
            return self._free(encode(model_list()), behaviour, number)
        if path.startswith("/v1/models/") and exchange.method == "GET":
            return self._free(encode(model_named(path.removeprefix("/v1/models/"))), behaviour, number)
        raise LookupError(path)

    def _behaviour(self, path: str, conversation: Conversation | None, exchange: Exchange) -> Behaviour:
        behaviour = self.script.choose(path, conversation, exchange.header(b"x-sim"))
        defaults = {
            "scenario": self.settings.scenario if not behaviour.scenario else "",
            "gap_ms": self.settings.gap_ms if not behaviour.gap_ms else 0.0,
            "tokens": self.settings.tokens if not behaviour.tokens else 0,
        }
        set_here = {name: value for name, value in defaults.items() if value}
        return msgspec.structs.replace(behaviour, **set_here) if set_here else behaviour

    def _asked(self, exchange: Exchange, path: str) -> tuple[str, bytes]:
        """The route and body of the Messages API that a request stands for, once its credential is accepted."""
        dialect = self.settings.dialect
        if dialect == "anthropic":
            self._check_head(exchange)
            return path, exchange.body
        key = credential(dialect, exchange.header(b"authorization"), exchange.header(b"x-amz-date"))
        if self.settings.keys and key not in self.settings.keys:
            raise PermissionError("The security token included in the request is invalid.")
        if exchange.method != "POST":
            raise LookupError(path)
        if dialect == "bedrock":
            return read_bedrock(path, exchange.body)
        return read_vertex(path, exchange.body, exchange.header(b"anthropic-beta"))

    def _check_head(self, exchange: Exchange) -> None:
        """Credential and version, as the provider wants them on every route under /v1."""
        bearer = exchange.header(b"authorization")
        key = exchange.header(b"x-api-key") or bearer.removeprefix("Bearer ").strip()
        if not key:
            raise PermissionError("x-api-key header is required")
        if self.settings.keys and key not in self.settings.keys:
            raise PermissionError("invalid x-api-key")
        if not exchange.header(b"anthropic-version"):
            raise BadRequestError("anthropic-version: header is required")

    # -- answers ----------------------------------------------------------------------------------------------------

    def _message(self, conversation: Conversation, behaviour: Behaviour, number: str) -> Work:
        request_id = f"req_sim{number}"
        if behaviour.status != 200 or behaviour.body is not None:
            whole = plan_whole(b"", behaviour, request_id, dialect=self.settings.dialect)
            return Work(number, whole, NOTHING, 0)
        answer = Answer(conversation, behaviour, reply_to(conversation, behaviour), number)
        if conversation.request.stream:
            frame = framed if self.settings.dialect == "bedrock" else None
            plan = plan_stream(answer.events(), behaviour, request_id, frame)
        else:
            plan = plan_whole(answer.whole(), behaviour, request_id, output_bytes=answer.output_bytes)
        return Work(number, plan, answer.usage, answer.output_bytes)

    def _plain_work(self, plain: PlainAnswers, exchange: Exchange, number: str, started: Started) -> Work:
        brief = peek([exchange.body])
        started.model, started.stream, started.behaviour = brief.model, brief.stream, {"scenario": "plain"}
        data = plain.answer(brief, exchange.size, number.encode())
        usage: Usage = plain.usage(exchange.size)
        plan = Plan(iter([Piece(data, output_bytes=1, events=1)]), "keep", PLAIN.status, True)
        return Work(number, plan, usage, 1)

    def _free(self, body: bytes, behaviour: Behaviour, number: str, method: str = "GET") -> Work:
        """An answer that bills nothing."""
        plan = plan_whole(body, behaviour, f"req_sim{number}", dialect=self.settings.dialect)
        if method == "HEAD":
            head, *_ = plan.pieces
            plan.pieces = iter([head])
        return Work(number, plan, NOTHING, 0)

    def add(self, do: Behaviour, *, n: int = 1, model: str = "", session: str = "", stream: bool | None = None) -> None:
        """Queue a behaviour for the next `n` calls that match; the admin route's form for tests in this process."""
        self.script.add(Step(do=do, n=n, model=model, session=session, stream=stream))
