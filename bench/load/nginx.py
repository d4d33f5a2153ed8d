"""nginx twice: as the fixed upstream, and as the bare reverse proxy that a gateway is held against."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from bench.load.certificate import Certificate
from bench.load.payloads import ANSWER_JSON
from bench.load.ports import free_port
from bench.load.processes import Server

# One worker each, in the one process: a worker of a master that is killed would live on.
# Limits on requests a connection are off in effect: a reconnect is not what is measured.
FRAME = """\
daemon off;
master_process off;
{user}pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 75s;
    client_max_body_size 64m;
    client_body_buffer_size 2m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {inside}
}}
"""

FIXED = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 200 '{answer}'; }}
    }}
"""

PROXY = """
    upstream mock {{ server {upstream}; keepalive 512; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} {tls}backlog=4096;
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering {buffering};
        }}
    }}
"""


def fixed_upstream(folder: Path) -> Server:
    """Answers every request with one JSON message that states its usage."""
    port = free_port()
    return _nginx("mock", folder, port, FIXED.format(port=port, answer=ANSWER_JSON.replace("'", "\\'")))


TLS = """
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
"""


def reverse_proxy(folder: Path, upstream: str, stream: bool, tls: Certificate | None = None) -> Server:
    """Passes everything to `upstream` and adds nothing; streams are passed on as they come."""
    port = free_port()
    inside = TLS.format(cert=tls.cert, key=tls.key) if tls else ""
    inside += PROXY.format(
        port=port,
        upstream=urlsplit(upstream).netloc,
        buffering="off" if stream else "on",
        tls="ssl " if tls else "",
    )
    return _nginx("nginx", folder, port, inside, tls)


def _nginx(name: str, folder: Path, port: int, inside: str, tls: Certificate | None = None) -> Server:
    folder.mkdir(parents=True)
    # As root nginx would change to a user who cannot write here.
    user = "user root;\n" if os.getuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(FRAME.format(folder=folder, user=user, inside=inside))
    log = folder / "nginx.log"
    scheme = "https" if tls else "http"
    return Server(name, f"{scheme}://127.0.0.1:{port}", ["nginx", "-e", "stderr", "-c", str(config)], log, tls=tls)
