"""What every test shares: how hard hypothesis looks, and that a skip is a failure in CI."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, settings

IN_CI = os.environ.get("CI") == "true"

# A shared machine stalls a test for longer than any deadline that would be worth setting; pytest-timeout ends a hang.
settings.register_profile("suite", deadline=None, derandomize=IN_CI, suppress_health_check=[HealthCheck.too_slow])
# make fuzz: the same properties, a hundred times the examples, never the same ones twice.
settings.register_profile("fuzz", settings.get_profile("suite"), max_examples=10_000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def _fail_if_skipped(report: Any) -> None:
    """A skip in CI means that something was not installed there: it must not look like a pass."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {reason}"


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
