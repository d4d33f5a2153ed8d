"""Commands about files: init, check, prices, and which configuration a command means."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from tests.support.command import fastgate, invoke

KEY = {"ANTHROPIC_API_KEY": "sk-ant-test"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_writes_files_that_check_accepts(folder: Path) -> None:
    done = invoke("init", "gateway")
    assert done.code == 0
    assert "cd gateway" in done.out
    written = yaml.safe_load((folder / "gateway" / "fastgate.yaml").read_text())
    assert written["headers"]["also"] == ["x-agentcc"]
    checked = invoke("check", "-c", "gateway/fastgate.yaml", env=KEY)
    assert (checked.code, checked.out) == (0, "gateway/fastgate.yaml is good.\n")


def test_init_writes_no_secret(folder: Path) -> None:
    invoke("init", env=KEY)
    for path in folder.iterdir():
        assert "sk-ant-test" not in path.read_text()
    assert "${ANTHROPIC_API_KEY}" in (folder / "fastgate.yaml").read_text()


def test_init_does_not_overwrite_unasked(folder: Path) -> None:
    (folder / "directory.yaml").write_text("orgs: []\n")
    assert invoke("init").code == 1
    assert not (folder / "fastgate.yaml").exists()
    assert (folder / "directory.yaml").read_text() == "orgs: []\n"
    assert invoke("init", "--force", "--json").json == {"written": ["fastgate.yaml", "directory.yaml"]}
    assert "acme" in (folder / "directory.yaml").read_text()


def test_init_says_where_it_cannot_write(folder: Path) -> None:
    (folder / "file").write_text("")
    done = invoke("init", "file/below")
    assert done.code == 2
    assert "cannot write" in done.err


def test_check_names_every_error_of_both_files_at_once(folder: Path) -> None:
    (folder / "fastgate.yaml").write_text(
        "version: 1\nlistn: 127.0.0.1:1\ndirectory: people.yaml\nbudgets: []\n"
        "endpoints:\n  - {name: a, kind: anthropic, api_key: ${NOT_SET}}\n"
    )
    (folder / "people.yaml").write_text("orgs: [{id: acme}]\nteams: [{id: t, org: nobody}]\nusrs: []\n")
    done = invoke("check", "--json")
    assert done.code == 2
    assert done.json["ok"] is False
    assert done.json["next"] is None
    found = {(Path(item["file"]).name, item["line"], item["path"]) for item in done.json["items"]}
    assert found == {
        ("fastgate.yaml", 2, "listn"),
        ("fastgate.yaml", 4, "budgets"),
        ("fastgate.yaml", 6, "endpoints[0].api_key"),
        ("people.yaml", 2, "teams[0].org"),
        ("people.yaml", 3, "usrs"),
    }
    as_text = invoke("check")
    assert as_text.code == 2
    assert "fastgate.yaml:2: listn: unknown key; nearest known key: listen" in as_text.out
    assert "5 errors" in as_text.out


def test_check_warns_and_still_accepts(folder: Path) -> None:
    (folder / "fastgate.yaml").write_text(
        "version: 1\ndirectory: d.yaml\nendpoints: [{name: a, kind: anthropic, api_key: ${ANTHROPIC_API_KEY}}]\n"
    )
    (folder / "d.yaml").write_text(
        "orgs: [{id: o}]\nteams: [{id: t, org: o}]\nkeys: [{id: k, team: t, secret: aaaaaaaaaaaaaaaaaaaaaaaa}]\n"
    )
    done = invoke("check", "--json", env=KEY)
    assert done.code == 0
    assert [(item["severity"], item["path"]) for item in done.json["items"]] == [("warning", "keys[0]")]
    assert "cost centre" in done.json["items"][0]["message"]


def test_check_of_a_file_that_is_not_there() -> None:
    done = invoke("check", "-c", "nowhere.yaml", "--json")
    assert done.code == 2
    assert "nowhere.yaml" in done.error["message"]
    nothing = invoke("check")
    assert nothing.code == 2
    assert "fastgate init" in nothing.err


def test_the_order_in_which_a_configuration_is_found(folder: Path) -> None:
    for name in ("here", "there", "chosen"):
        (folder / name).mkdir()
        (folder / name / "fastgate.yaml").write_text(f"version: 1\nendpoints: []\n# {name}\n")
    env = {"FASTGATE_CONFIG": str(folder / "there" / "fastgate.yaml")}

    def checked(*words: str) -> str:
        return invoke("check", *words, "--json", env=env).json["items"][0]["file"]

    assert checked() == str(folder / "there" / "fastgate.yaml")
    (folder / "fastgate.yaml").write_text("version: 1\nendpoints: []\n")
    assert checked() == "fastgate.yaml"
    assert checked("-c", "chosen/fastgate.yaml") == "chosen/fastgate.yaml"
    assert "chosen.yaml" in invoke("check", "-c", "chosen.yaml", env=env).err
    (folder / "fastgate.yaml").unlink()
    assert "$FASTGATE_CONFIG" in invoke("check", env={"FASTGATE_CONFIG": "/nowhere"}).err


def test_prices_show_and_find_a_row_as_the_data_plane_does(folder: Path) -> None:
    rows = invoke("prices", "show", "--json").json
    assert rows["next"] is None
    listed = {row["model"]: row["tokens"] for row in rows["items"]}
    assert listed["claude-opus-4-5"]["output"] == "25"
    one = invoke("prices", "show", "claude-opus-4-5-20251101", "--json").json
    assert (one["known"], one["tokens"]["input"], one["asked"]) == (True, "5", "claude-opus-4-5-20251101")
    unknown = invoke("prices", "show", "claude-of-tomorrow", "--json").json
    assert unknown["known"] is False
    assert float(unknown["tokens"]["output"]) == max(float(tokens["output"]) for tokens in listed.values())


def test_prices_show_overrides_first_and_need_no_provider_key(folder: Path) -> None:
    (folder / "fastgate.yaml").write_text(
        "version: 1\nendpoints: [{name: a, kind: anthropic, api_key: ${ANTHROPIC_API_KEY}}]\n"
        "prices: {overrides: [{model: claude-opus-*, multiply: 0.5}, {model: house, input: 1, output: 0.002}]}\n"
    )
    row = invoke("prices", "show", "claude-opus-4-5", "--json").json
    assert (row["tokens"]["input"], row["source"].split(",")[0]) == ("2.5", "prices.overrides[0]")
    done = invoke("prices", "check", "--json")
    assert done.code == 1
    assert {item["where"] for item in done.json["items"]} == {"* house (prices.overrides[1])"}
    assert "house" in invoke("prices", "check").out


def test_prices_table_is_not_cut_when_it_is_piped(folder: Path) -> None:
    done = fastgate("prices", "show", cwd=folder)
    assert done.code == 0
    line = next(line for line in done.out.splitlines() if line.startswith("claude-opus-4-5 "))
    assert line.split()[:7] == ["claude-opus-4-5", "anthropic", "5", "25", "6.25", "10", "0.5"]


def test_an_unknown_kind_is_refused() -> None:
    assert invoke("prices", "show", "--kind", "mainframe").code == 1


def test_all_kinds_are_more_than_one(folder: Path) -> None:
    kinds = {row["kind"] for row in invoke("prices", "show", "--kind", "all", "--json").json["items"]}
    assert {"anthropic", "compatible", "*"} < kinds


def test_moments_that_64_bits_cannot_hold_are_bad_input(folder: Path) -> None:
    """Nanoseconds end in 2262: a later date is told, not lost or wrapped."""
    invoke("init")
    (folder / "d.yaml").write_text(
        "orgs: [{id: o}]\nteams: [{id: t, org: o, cost_center: c}]\ncost_centers: [{id: c}]\n"
        "keys: [{id: k, team: t, secret: aaaaaaaaaaaaaaaaaaaaaaaa, expires: 2300-01-01}]\n"
    )
    applied = invoke("apply", "-f", "d.yaml")
    assert applied.code == 2
    assert "keys[0].expires: lies beyond the year 2262" in applied.out
    assert "2262" in invoke("keys", "create", "--user", "alice", "--expires", "2300-01-01").err
    assert invoke("calls", "list", "--since", "9999-12-31").code == 2


def test_doctor_tells_each_mistake_with_its_fix(folder: Path) -> None:
    invoke("init")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = (folder / "fastgate.yaml").read_text().replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        (folder / "fastgate.yaml").write_text(text)
        done = invoke("doctor", "--json", env={"ANTHROPIC_API_KEY": "sk-ant-x", "HTTPS_PROXY": "http://proxy:3128"})
    assert (done.code, done.json["ok"], done.json["status"]) == (1, False, None)
    wrong = {finding["id"]: finding for finding in done.json["items"] if finding["severity"] != "ok"}
    assert wrong["port"]["severity"] == "error"
    assert str(port) in wrong["port"]["message"]
    assert all(finding["fix"] for finding in wrong.values())
    assert any("NO_PROXY" in finding["fix"] for finding in done.json["items"])
    as_text = invoke("doctor")
    assert as_text.code == 1, "the provider key is not set"
    assert "fix: export the variable" in as_text.out


def test_doctor_works_where_nothing_is_set_up() -> None:
    done = invoke("doctor")
    assert done.code == 0
    assert "fastgate init" in done.out
