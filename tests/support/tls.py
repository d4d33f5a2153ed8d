"""A certificate for 127.0.0.1 and localhost that only the tests trust, made anew for each run."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """PEM files; `cert` is also the CA that a client has to trust."""

    cert: Path
    key: Path


def certificate(directory: Path) -> Certificate:
    """Make a self-signed pair with the openssl that Debian's ca-certificates brings."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return Certificate(cert, key)
