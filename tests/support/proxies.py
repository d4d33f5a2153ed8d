"""nginx and HAProxy from Debian as reverse proxies before a recorder: what each makes of bytes that we get too."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.load.ports import free_port

START_S = 15.0

NGINX = """\
daemon off; master_process off; {user}pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{back}; proxy_http_version 1.1; proxy_request_buffering on; }}
    }}
}}
"""

HAPROXY = """\
defaults
    mode http
    timeout connect 2s
    timeout client 3s
    timeout server 3s
    timeout http-request 2s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server one 127.0.0.1:{back}
"""


@dataclass
class Recorder:
    """An HTTP server that answers 200 and keeps the body of every POST."""

    bodies: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = self.headers.get("content-length")
                if length is None and self.headers.get("transfer-encoding"):
                    body = self.chunks()
                else:
                    body = self.rfile.read(int(length or 0))
                if self.command == "POST":
                    bodies.append(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def chunks(self) -> bytes:
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline() not in (b"\r\n", b""):
                    pass
                return body

            do_GET = do_POST = answer  # noqa: N815  # names that the standard library calls

            def log_message(self, *_: object) -> None:
                """Silent."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """A proxy that resets its connection is no news."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Proxy:
    """A running proxy and what came through it."""

    name: str
    port: int
    recorder: Recorder


@contextmanager
def proxy(name: str, folder: Path) -> Iterator[Proxy]:
    """`nginx` or `haproxy`; skips the test where it is not installed."""
    found = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if found is None:
        pytest.skip(f"{name} is not installed (make peers)")
    folder.mkdir(parents=True)
    recorder, port = Recorder(), free_port()
    user = "user root; " if os.getuid() == 0 else ""
    config = folder / "proxy.conf"
    text = NGINX if name == "nginx" else HAPROXY
    config.write_text(text.format(folder=folder, port=port, back=recorder.port, user=user))
    command = [found, "-e", "stderr", "-c", str(config)] if name == "nginx" else [found, "-db", "-f", str(config)]
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, (folder / "proxy.log").read_text()
                time.sleep(0.02)
        yield Proxy(name, port, recorder)
    finally:
        process.kill()
        process.wait()
        recorder.close()
