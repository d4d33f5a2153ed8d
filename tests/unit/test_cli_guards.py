"""`fastgate guards`: rules are listed, a file is tested, nothing of a match is printed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command import invoke

AWS = "AKIA" + "Q3EGRDZ7KPLM5XWT"


def test_a_file_is_tested_and_its_secret_is_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "settings.ini"
    path.write_text(f"first\nkey = {AWS}\n")
    done = invoke("guards", "test", str(path), "--json")
    assert done.code == 1 and AWS not in done.out and done.out, done.err
    (found,) = json.loads(done.out)["items"]
    assert (found["guard"], found["rule"], found["line"]) == ("secrets", "aws-access-key-id", 2)
    assert (found["start"], found["end"]) == (12, 12 + len(AWS))


def test_a_clean_file_is_clean(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing to see here\n")
    done = invoke("guards", "test", str(path), "--use", "secrets", "--use", "injection")
    assert (done.code, done.out.strip()) == (0, "nothing found")


def test_rules_are_listed() -> None:
    listed = json.loads(invoke("guards", "list", "--json").out)["items"]
    assert {"secrets", "injection"} <= {row["guard"] for row in listed}
    only = json.loads(invoke("guards", "list", "--use", "injection", "--json").out)["items"]
    assert {row["guard"] for row in only} == {"injection"}


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert invoke("guards", "list", "--use", "nothing").code == 1
    assert invoke("guards", "test", str(tmp_path / "no-such-file")).code == 2
    assert invoke("guards", "test", "-", "--kind", "nothing").code == 2
