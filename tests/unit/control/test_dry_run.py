"""The dry run around its replay: the file of proposed budgets, prices of cheaper models, the report in every form."""

from __future__ import annotations

import csv
import io
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate._core.usage import Usage as CoreUsage
from fastgate.amounts import percent
from fastgate.config_routing import Routing
from fastgate.control.cascade import cascade_steps
from fastgate.control.dryrun.page import nice_top, page
from fastgate.control.dryrun.prices import NextCheaper
from fastgate.control.dryrun.proposal import propose
from fastgate.control.dryrun.report import ASSUMPTIONS
from fastgate.control.errors import OperationError
from fastgate.journal import KIND_CALL, JournalWriter, call_id
from fastgate.prices.book import PriceBook
from fastgate.prices.catalog import compile_prices
from fastgate.prices.settings import PriceSettings
from fastgate.state import StateDir
from fastgate.times import NS
from tests.support.command import invoke
from tests.support.flights import encode, record
from tests.unit.control.test_operations import CONFIG, DIRECTORY

MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY_ONE_NS = int((MIDNIGHT - timedelta(days=5)).timestamp()) * NS
HOUR_NS = 3600 * NS
NASTY = "<script>alert(1)</script>"

PROPOSED = """\
budgets:
  - {id: alice-day, level: user, of: alice, period: day, usd: 10}
  - id: by-project
    level: tag
    of: project=*
    org: acme
    period: total
    usd: 100
    mode: soft
    stages: [{at: 0.1, do: alert}]
"""
"""Of alice's twelve calls of a dollar the eighth reaches the alert, the tenth the downgrade; the twelfth is refused."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gateway that is not running, with five days of calls: twelve of a dollar by alice on the third."""
    monkeypatch.setenv("THE_KEY", "sk-provider-secret")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fastgate.yaml").write_text(CONFIG)
    (tmp_path / "directory.yaml").write_text(DIRECTORY)
    (tmp_path / "proposed.yaml").write_text(PROPOSED)
    state = StateDir(tmp_path / "data").create()
    with closing(JournalWriter.create(state.journal_dir)) as writer:
        n = 0
        for day, count, who in ((0, 1, "alice"), (2, 12, "alice"), (4, 2, NASTY)):
            for hour in range(count):
                n += 1
                change = {"user": who, "at_ns": DAY_ONE_NS + day * 24 * HOUR_NS + hour * HOUR_NS, "cost_nano": NS,
                          "model_used": "claude-haiku-4-5", "tags": {"project": "=cmd()"}}  # fmt: skip
                writer.append(KIND_CALL, encode(record(call_id(writer.epoch, n), **change)))
    return tmp_path


def test_the_command_says_who_is_held_back_and_when(folder: Path) -> None:
    report = invoke("budgets", "dry-run", "-f", "proposed.yaml", "--since", "30d", "--json").json
    third = f"{MIDNIGHT - timedelta(days=3):%Y-%m-%d}"
    assert report["total"]["calls"] == 15
    assert (report["total"]["recorded"], report["total"]["replayed"]) == ("15.000000000", "14.000000000")
    (alice,) = [item for item in report["items"] if item["budget"] == "alice-day"]
    assert alice["stages"] == [
        {"at": "80 %", "do": "alert", "when": f"{third}T07:00:00.000Z"},
        {"at": "95 %", "do": "downgrade", "when": f"{third}T09:00:00.000Z"},
        {"at": "110 %", "do": "pause", "when": f"{third}T10:00:00.000Z"},
    ]
    assert (alice["refused_calls"], alice["first_refused"]) == (1, f"{third}T11:00:00.000Z")
    (project,) = [item for item in report["items"] if item["budget"] == "by-project"]
    assert (project["of"], [stage["do"] for stage in project["stages"]]) == ("=cmd()", ["alert"])
    assert [(row["user"], row["refused_calls"]) for row in report["users"]] == [("alice", 1), (NASTY, 0)]
    assert report["days_recorded"] == 3
    assert report["assumptions"] == list(ASSUMPTIONS)
    short = invoke("budgets", "dry-run", "-f", "proposed.yaml", "--since", "2d", "--json").json
    assert (short["total"]["calls"], short["total"]["refused_calls"]) == (2, 0)


def test_the_command_in_words_csv_and_html(folder: Path) -> None:
    words = invoke("budgets", "dry-run", "-f", "proposed.yaml")
    assert "1 calls refused ($ 1.000000000)" in words.out
    assert all(line in words.out for line in ASSUMPTIONS)
    rows = list(csv.DictReader(io.StringIO(invoke("budgets", "dry-run", "-f", "proposed.yaml", "--csv").out)))
    assert {row["budget"] for row in rows} == {"alice-day", "by-project"}
    assert next(row for row in rows if row["budget"] == "by-project")["of"] == "'=cmd()"
    assert next(row for row in rows if row["budget"] == "alice-day")["first_pause"].endswith("T10:00:00.000Z")
    assert invoke("budgets", "dry-run", "-f", "proposed.yaml", "--html", "out.html").code == 0
    document = (folder / "out.html").read_text()
    assert NASTY not in document
    assert "&lt;script&gt;" in document
    assert "alice-day" in document


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budgets: []", "no budgets"),
        ("budgets: [{id: a, level: user, of: alice, period: dya, usd: 1}]", "nearest: day"),
        ("budgets: [{id: a, level: user, of: alice, period: rolling, usd: 1}]", "rolling_h"),
        ("budgets: [{id: a, level: user, of: b, period: day, usd: 1}, {id: a, level: org, of: o, period: day, usd: 1}]",
         "already the id"),
        ("budgets: [{id: a, level: tag, of: x, period: day, usd: 1}]", "NAME=VALUE"),
        ("budget: []", "nearest known key: budgets"),
        ("[", "not YAML"),
        (None, "cannot be read"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_and_nothing_runs(folder: Path, text: str | None, said: str) -> None:
    if text is not None:
        Path("wrong.yaml").write_text(text)
    done = invoke("budgets", "dry-run", "-f", "wrong.yaml")
    assert done.code == 2
    assert said in done.err


def test_a_whole_directory_may_be_proposed(folder: Path) -> None:
    budget = "budgets: [{id: all, level: org, of: acme, period: total, usd: 3}]\n"
    Path("whole.yaml").write_text(DIRECTORY + budget)
    assert invoke("budgets", "dry-run", "-f", "whole.yaml", "--json").json["total"]["refused_calls"] == 12


def test_arguments_that_do_not_fit(folder: Path) -> None:
    for words in (("--csv", "--json"), ("--since", "1d", "--until", "2d"), ("--html", "no/such/folder/x.html")):
        assert invoke("budgets", "dry-run", "-f", "proposed.yaml", *words).code == 2
    assert invoke("budgets", "dry-run").code == 2
    nothing = invoke("budgets", "dry-run", "-f", "proposed.yaml", "--since", "1h")
    assert nothing.code == 0
    assert "nothing is recorded" in nothing.out


def test_a_tag_needs_to_know_its_org() -> None:
    text = b"budgets: [{id: a, level: tag, of: x=y, period: day, usd: 1}]"
    assert propose(text, os.environ, "f", ["acme"])[0].org == "acme"
    for orgs in ([], ["a", "b"]):
        with pytest.raises(OperationError, match="whose tag"):
            propose(text, os.environ, "f", orgs)
    named = b"budgets: [{id: a, level: tag, of: x=y, org: b, period: day, usd: 1}]"
    assert propose(named, os.environ, "f", ["a", "b"])[0].org == "b"


# -- prices -----------------------------------------------------------------------------------------------------------

PRICES = compile_prices(PriceSettings())
STEPS = cascade_steps(Routing(), PRICES)


@given(
    st.sampled_from(["claude-opus-4-5", "claude-opus-4-1-20250805", "claude-sonnet-4-5"]),
    st.tuples(*[st.integers(0, 10**6)] * 5),
)
def test_a_downgrade_saves_the_difference_of_two_list_prices(
    model: str, tokens: tuple[int, int, int, int, int]
) -> None:
    cheaper = NextCheaper(PRICES, STEPS)
    target = cheaper.target(model)
    assert ("haiku" if "sonnet" in model else "sonnet") in target
    book = PriceBook(PRICES)
    names = ("input_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")
    usage = CoreUsage.of(**dict(zip(names, tokens, strict=True)))
    difference = book.row("anthropic", model).cost(usage) - book.row("anthropic", target).cost(usage)
    assert cheaper("anthropic", model, tokens) == max(0, difference)


def test_what_has_no_cheaper_model_saves_nothing() -> None:
    for model in ("claude-haiku-4-5", "claude-3-5-sonnet", "another-model", "", "x" * 600):
        assert NextCheaper(PRICES, STEPS)("anthropic", model, (10**6,) * 5) == 0
    assert NextCheaper(PRICES, ())("anthropic", "claude-opus-4-5", (10**6,) * 5) == 0


# -- the page ---------------------------------------------------------------------------------------------------------


class Seen(HTMLParser):
    """What a page consists of: open elements must close, and nothing may be fetched."""

    VOID = frozenset({"meta", "line", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.bars: list[float] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag not in ("script", "link", "img", "iframe", "object")
        named = dict(attrs)
        assert not {"src", "href", "onclick", "onload"} & set(named)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        if tag == "rect":
            self.bars.append(float(dict(attrs)["height"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing(folder: Path) -> None:
    report = invoke("budgets", "dry-run", "-f", "proposed.yaml", "--json").json
    seen = Seen()
    seen.feed(page(report))
    assert seen.open == []
    assert len(seen.bars) == 2 * len(report["days"])
    recorded, replayed = seen.bars[2:4]
    assert recorded / replayed == pytest.approx(12 / 11, rel=0.01)
    assert "http" not in page(report).replace("http-equiv", "")


@given(st.decimals(min_value=0, max_value=10**9, places=9))
def test_a_scale_ends_above_its_largest_bar(largest: Decimal) -> None:
    assert largest <= nice_top(largest) <= max(Decimal(1), largest * 5)


def test_stages_in_words() -> None:
    assert [percent(ppm) for ppm in (800_000, 1_100_000, 955_000, 1, 10_000)] == [
        "80 %", "110 %", "95.5 %", "0.0001 %", "1 %",
    ]  # fmt: skip
