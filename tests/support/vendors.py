"""Chat and paging services as their documentation describes them: servers that refuse what the real ones would refuse.

Each check is a statement of a vendor's reference, so a message that passes here has the documented shape and limits.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = Any
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def check_slack(body: Json) -> None:
    """Block Kit: header (plain text to 150), section (text to 3000, at most 10 fields to 2000), at most 50 blocks."""
    assert set(body) <= {"text", "blocks", "unfurl_links", "channel"}
    assert body["text"] and len(body["text"]) <= 40_000
    assert 1 <= len(body["blocks"]) <= 50
    for block in body["blocks"]:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            assert 1 <= len(block["text"]["text"]) <= 150
        else:
            assert block["type"] == "section"
            texts = [block["text"], *block.get("fields", [])]
            assert len(block.get("fields", [])) <= 10
            for text, limit in zip(texts, [3000] + [2000] * 10, strict=False):
                assert text["type"] == "mrkdwn"
                assert 1 <= len(text["text"]) <= limit
                assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", text["text"]), "control characters are escaped"


def check_teams(body: Json) -> None:
    """A message with one Adaptive Card, 28 KB in all."""
    assert len(json.dumps(body, ensure_ascii=False).encode()) <= 28 * 1024
    assert body["type"] == "message"
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["$schema"]) == ("AdaptiveCard", "http://adaptivecards.io/schemas/adaptive-card.json")
    assert re.fullmatch(r"1\.[0-5]", card["version"])
    assert card["body"]
    for element in card["body"]:
        assert element["type"] in ("TextBlock", "FactSet")
        if element["type"] == "TextBlock":
            assert isinstance(element["text"], str)
            assert element["color"] in ("Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention")
        else:
            assert all(set(fact) == {"title", "value"} for fact in element["facts"])


def check_discord(body: Json) -> None:
    """content to 2000; at most 10 embeds: title 256, description 4096, 25 fields of 256 and 1024, 6000 in all."""
    assert len(body["content"]) <= 2000
    assert body["allowed_mentions"] == {"parse": []}
    assert 1 <= len(body["embeds"]) <= 10
    total = 0
    for embed in body["embeds"]:
        assert 1 <= len(embed["title"]) <= 256
        assert len(embed["description"]) <= 4096
        assert 0 <= embed["color"] <= 0xFFFFFF
        assert MOMENT.fullmatch(embed["timestamp"])
        assert len(embed["fields"]) <= 25
        total += len(embed["title"]) + len(embed["description"])
        for each in embed["fields"]:
            assert 1 <= len(each["name"]) <= 256
            assert 1 <= len(each["value"]) <= 1024
            total += len(each["name"]) + len(each["value"])
    assert total <= 6000


def check_pagerduty(body: Json) -> None:
    """Events API v2: routing_key, event_action, dedup_key to 255, payload with summary to 1024, source, severity."""
    assert len(body["routing_key"]) == 32
    assert body["event_action"] in ("trigger", "acknowledge", "resolve")
    assert 1 <= len(body["dedup_key"]) <= 255
    if body["event_action"] == "resolve":
        assert "payload" not in body
        return
    payload = body["payload"]
    assert 1 <= len(payload["summary"]) <= 1024
    assert payload["source"]
    assert payload["severity"] in ("critical", "error", "warning", "info")
    assert MOMENT.fullmatch(payload["timestamp"])
    assert isinstance(payload["custom_details"], dict)


def check_signed(secret: str, headers: dict[str, str], raw: bytes) -> Json:
    """Our own webhook, as docs/alerts.md tells a receiver to check it."""
    stamp, _, given = headers["x-fastgate-signature"].partition(",")
    at = stamp.removeprefix("t=")
    assert abs(time.time() - int(at)) < 300
    wanted = hmac.new(secret.encode(), at.encode() + b"." + raw, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(given.removeprefix("v1="), wanted)
    body = json.loads(raw)
    assert body["id"] == headers["idempotency-key"]
    return body


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Json:
        return json.loads(self.raw)


@dataclass
class Services:
    """All of them on one address. `plan` answers the next requests of a path, each (status, headers, body); `members`
    are the Slack workspace's, by e-mail address."""

    url: str = ""
    asked: list[Request] = field(default_factory=list)
    plan: dict[str, list[tuple[int, dict[str, str], Json]]] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    secret: str = "webhook-secret-0123"
    token: str = "xoxb-test-token"
    delay_s: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """What a vendor would have refused: tests look that there is nothing."""

    def at(self, path: str) -> list[Request]:
        return [request for request in self.asked if request.path == path]

    def answer(self, request: Request) -> tuple[int, dict[str, str], Json]:
        planned = self.plan.get(request.path)
        if planned:
            return planned.pop(0)
        try:
            return self.judge(request)
        except (AssertionError, KeyError, ValueError, TypeError) as error:
            self.faults.append(f"{request.path}: {error!r}")
            return 400, {}, {"error": "not as documented"}

    def judge(self, request: Request) -> tuple[int, dict[str, str], Json]:
        if request.path.startswith("/api/"):
            return self.slack_api(request)
        assert request.method == "POST"
        assert request.headers["content-type"].startswith("application/json")
        match request.path:
            case "/slack":
                check_slack(request.json)
                return 200, {"content-type": "text/html"}, "ok"
            case "/teams":
                check_teams(request.json)
                return 202, {}, ""
            case "/discord":
                check_discord(request.json)
                return 204, {}, ""
            case "/v2/enqueue":
                check_pagerduty(request.json)
                key = request.json["dedup_key"]
                return 202, {}, {"status": "success", "message": "Event processed", "dedup_key": key}
            case "/hook":
                check_signed(self.secret, request.headers, request.raw)
                return 200, {}, {}
        return 404, {}, {"error": "no such place"}

    def slack_api(self, request: Request) -> tuple[int, dict[str, str], Json]:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return 200, {}, {"ok": False, "error": "invalid_auth"}
        match request.path.removeprefix("/api/"):
            case "users.lookupByEmail":
                member = self.members.get(request.query["email"][0])
                return 200, {}, {"ok": True, "user": {"id": member}} if member else {
                    "ok": False, "error": "users_not_found"}  # fmt: skip
            case "conversations.open":
                assert request.json["users"] in self.members.values()
                return 200, {}, {"ok": True, "channel": {"id": "D" + request.json["users"]}}
            case "chat.postMessage":
                check_slack(request.json)
                assert request.json["channel"][0] in "CDG"
                return 200, {}, {"ok": True, "ts": "1.2"}
        return 200, {}, {"ok": False, "error": "unknown_method"}


@contextmanager
def services() -> Iterator[Services]:
    """Running on loopback."""
    found = Services()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, parse_qs(parts.query), headers, raw)
            found.asked.append(request)
            time.sleep(found.delay_s.get(parts.path, 0))
            status, sent, body = found.answer(request)
            answer = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in sent.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer) if status != 204 else 0))
            self.end_headers()
            if status != 204:
                self.wfile.write(answer)

        do_GET = do_POST = handle_one  # noqa: N815 - the base class names them

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
