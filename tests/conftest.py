"""What every test shares: how hard hypothesis looks, that what is tested is what is written, and that a skip fails in
CI."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from tests.support import patterns
from tests.support.sim import SimProcess, running
from tests.tidy.tree import ROOT, built, compiled

IN_CI = os.environ.get("CI") == "true"

# A shared machine stalls a test for longer than any deadline that would be worth setting; pytest-timeout ends a hang.
settings.register_profile("suite", deadline=None, derandomize=IN_CI, suppress_health_check=[HealthCheck.too_slow])
# make fuzz: the same properties, ten times the examples or as many as EXAMPLES says, never the same ones twice.
FUZZ_EXAMPLES = int(os.environ.get("EXAMPLES") or 1_000)
settings.register_profile("fuzz", settings.get_profile("suite"), max_examples=FUZZ_EXAMPLES, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("cacheprovider") and config.cache is not None:
        patterns.keep_in(config.cache.mkdir("guard-patterns"))


def pytest_sessionstart(session: pytest.Session) -> None:
    """An extension module that is older than its source would be tested in its place, without a word."""
    old = [source for source in compiled() for made in built(source) if made.stat().st_mtime < age(source)]
    if old:
        names = ", ".join(path.as_posix() for path in old)
        raise pytest.UsageError(f"changed since they were compiled: {names}; run `make build`")


def age(source: Path) -> float:
    """When a source was last changed, or the layout beside it."""
    beside = ROOT / source.with_suffix(".pxd")
    return max((ROOT / source).stat().st_mtime, beside.stat().st_mtime if beside.exists() else 0.0)


def _fail_if_skipped(report: Any) -> None:
    """A skip in CI means that something was not installed there: it must not look like a pass."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {reason}"


LONGEST = "tests/test_package.py"
"""Builds a wheel and installs it: some minutes of one core that nothing else has to wait for."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first, so that it is not alone at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimProcess]:
    """The scripted upstream, one for the tests of a file."""
    with running(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


OPEN_FILES_MAX = 4
"""What a test file may leave open in the process of the tests: an import's or a session's, never one a test."""


@pytest.fixture(scope="module", autouse=True)
def closed_files() -> Iterator[None]:
    """A test file closes what it opens: hundreds of them run in one process."""
    before = open_files()
    yield
    if len(open_files().keys() - before.keys()) <= OPEN_FILES_MAX:
        return
    gc.collect()
    left = {number: name for number, name in open_files().items() if number not in before}
    assert len(left) <= OPEN_FILES_MAX, f"{len(left)} files were left open: {', '.join(sorted(left.values())[:20])}"


def open_files() -> dict[str, str]:
    """The file descriptors of this process and what each is."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[number] = os.readlink(f"/proc/self/fd/{number}")
    return found


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """Every asynchronous test runs on the loop that the data plane runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    report = yield
    _fail_if_skipped(report)
    return report
