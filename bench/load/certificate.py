"""A certificate for the loopback address, made for one run and trusted by nobody else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """PEM files; `cert` is also what a client trusts."""

    cert: Path
    key: Path


def make(folder: Path) -> Certificate:
    """A self-signed pair on P-256, as servers use it. RuntimeError with openssl's own words when it cannot."""
    pair = Certificate(folder / "cert.pem", folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(pair.key), "-out", str(pair.cert), "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl made no certificate: {done.stderr.strip()}")
    return pair
