"""The real Claude Code reads files; afterwards `sha256sum` of each, or its path, finds the call that showed it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.support.claude import Claude
from tests.support.gateway import Gateway
from tests.support.sim import SimProcess

pytestmark = pytest.mark.e2e

TEXT = "first line\n\tsecond line, indented\n\n12\tof a table\nÜmlaut \\u0041\n"


@pytest.mark.parametrize("text", [TEXT, TEXT.rstrip("\n")])
def test_a_file_that_was_read_is_found_by_its_digest_and_its_path(
    upstream: SimProcess, gateway: Gateway, tmp_path: Path, text: str
) -> None:
    upstream.fresh()
    claude = Claude(tmp_path, gateway.url, {"ANTHROPIC_API_KEY": gateway.key})
    notes = claude.project / "notes.txt"
    notes.write_text(text)
    read = hashlib.sha256(notes.read_bytes()).hexdigest()
    session = "0f0e0d0c-0b0a-4908-8706-050403020188"
    assert claude.run("please edit notes.txt", "--session-id", session).code == 0
    edited = hashlib.sha256(notes.read_bytes()).hexdigest()

    def found(*asked: str) -> list[dict[str, str]]:
        items: list[dict[str, str]] = json.loads(gateway.cli("--json", "audit", "find", *asked).out)["items"]
        return [item for item in items if item["session"] == session]

    (by_digest,) = [item for item in found("--sha256", read) if item["path"] == str(notes)]
    assert by_digest["kind"] == "tool_result" and by_digest["outcome"] == "ok" and by_digest["endpoint"]
    assert by_digest["call"] in {item["call"] for item in found("--path", str(notes))}
    assert by_digest["call"] in {item["call"] for item in found("--path", "project/notes.txt")}
    assert found("--sha256", edited), "what `cat` printed, which has lost its last line feed"
    assert not found("--sha256", hashlib.sha256(b"another file").hexdigest())
    assert not found("--path", "otes.txt")
