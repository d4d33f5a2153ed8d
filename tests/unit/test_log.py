"""Log lines: one event is one line and one write, whatever is in it."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from fastgate.log import _told

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warning|error) [a-z.]+: .*")


def run(code: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from fastgate.log import Log, set_up\nset_up()\nlog = Log('part')\n{code}"]
    env = {**os.environ, "PYTHONPATH": "src"}
    return subprocess.run(command, env=env, text=True, timeout=20, check=False, stderr=subprocess.PIPE)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=40), max_size=4))
def test_facts_stay_on_one_line_and_can_be_told_apart(facts: dict[str, str]) -> None:
    told = _told(dict(facts))
    assert "\n" not in told
    assert "\r" not in told
    pairs = re.findall(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|[^" ]+)', told)
    assert [name for name, _ in pairs] == list(facts)
    assert "".join(f" {name}={value}" for name, value in pairs) == told


def test_a_line_says_when_how_bad_where_and_what() -> None:
    done = run("log.info('up', pid=7, why='two words')\nlog.error('down')")
    lines = done.stderr.splitlines()
    assert [LINE.fullmatch(line) is not None for line in lines] == [True, True]
    assert lines[0].endswith('info part: up pid=7 why="two words"')
    assert lines[1].endswith("error part: down")


def test_other_parts_of_the_program_look_the_same() -> None:
    done = run("import logging\nlogging.getLogger('fastgate.worker').warning('%s is %d', 'it', 3)")
    assert done.stderr.rstrip().endswith("warning worker: it is 3")


def test_a_closed_standard_error_stops_nothing() -> None:
    done = run("import os\nos.close(2)\nlog.info('unheard')\nos._exit(5)")
    assert done.returncode == 5


def test_setting_up_twice_does_not_say_things_twice() -> None:
    assert run("set_up()\nlog.info('once')").stderr.count("once") == 1


def test_nothing_is_set_up_by_importing() -> None:
    assert not [handler for handler in logging.getLogger("fastgate").handlers if type(handler).__name__ == "_OneWrite"]
