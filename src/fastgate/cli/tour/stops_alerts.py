"""A stop about alerts: a budget reaches a stage, and a message arrives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from fastgate.cli.demo_world import ALICE
from fastgate.cli.instance import read_run
from fastgate.cli.remote import Remote
from fastgate.cli.tour import expect
from fastgate.cli.tour.stage import Stage

ARRIVES_S = 15.0
"""A call is charged, its stage found and the alert sent within two seconds; a busy machine gets longer."""

CHANNEL = """
alerts:
  channels: [{{name: tour, kind: discord, webhook: "http://127.0.0.1:{port}/hook"}}]
  fallback: [tour]
"""


def alert_arrives(stage: Stage) -> Iterator[str]:
    """A budget reaches its first stage, and those who answer for it are told, once, through a channel of the config."""
    yield "fastgate budgets set tour-alert --user alice --period day --usd 1 --mode soft --stage 0.0001=alert --yes"
    with listening() as (port, bodies):
        run = read_run(Path(stage.folder.name) / "fastgate-data")
        expect(run is not None and bool(run.config), "a demo that says where its configuration is")
        assert run is not None
        with Path(run.config).open("a", encoding="utf-8") as config:
            config.write(CHANNEL.format(port=port))
        Remote(run.control, run.admin_token).post("/api/v1/reload")
        words = ("--user", ALICE.user, "--period", "day", "--usd", "1", "--mode", "soft", "--stage", "0.0001=alert")
        stage.fastgate("budgets", "set", "tour-alert", *words, "--yes")
        answer = stage.wire.ask(ALICE.secret, "say hi")
        expect(answer.status == 200, f"200, not {answer.status}: an alert stops nothing")

        def told() -> list[Any]:
            embeds = [embed for body in list(bodies) for embed in body["embeds"]]
            return [embed for embed in embeds if "tour-alert" in embed["title"]]

        embed = stage.until("the alert arrives", lambda: told() or None, ARRIVES_S)[0]
        yield f"a stand-in for Discord was told: {embed['title']}. {embed['description']}"
        listed = stage.fastgate("alerts", "list")["items"]
        alert = next(item for item in listed if "tour-alert" in item["title"])
        yield f"fastgate alerts list: {alert['title']}, sent to {alert['deliveries'][0]['channel']}"
        expect(len(told()) == 1, "one message")
    stage.fastgate("budgets", "remove", "tour-alert")


@contextmanager
def listening() -> Iterator[tuple[int, list[Any]]]:
    """A server on loopback that takes every POST and keeps its body."""
    bodies: list[Any] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1], bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
