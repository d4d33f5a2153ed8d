"""The budgets of directory.yaml: the contract's examples, what is wrong with one, and how a file travels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgate.budgets import DEFAULT_STAGES
from fastgate.cli.directory_text import resolved
from fastgate.directory import load_directory, parse_directory
from fastgate.directory_budgets import stages_of
from fastgate.tree import ConfigErrors

HEAD = """\
orgs: [{id: acme}]
cost_centers: [{id: CC-1}]
teams: [{id: platform, org: acme}]
users: [{id: alice, team: platform}]
keys: [{id: ci, team: platform, secret: a-secret-of-another-gateway, cost_center: CC-1}]
budgets:
"""
EXAMPLES = """\
  - {id: platform-month, level: team, of: platform, period: month, tz: Europe/Berlin, usd: 4000, mode: hard,
     stages: [{at: 0.80, do: alert}, {at: 0.95, do: downgrade}, {at: 1.10, do: pause}]}
  - {id: ci-day, level: key, of: ci, period: day, usd: 20, mode: hard, stages: [{at: 1.0, do: pause}]}
  - {id: alice-opus, level: user, of: alice, period: month, usd: 100.000000001, models: [opus]}
  - {id: exp-branch, level: tag, of: "experiment=agent-x", org: acme, period: total, usd: 200, mode: soft}
  - {id: one-session, level: tag, of: "session=*", period: total, usd: 40, stages: []}
  - {id: five-hours, level: tag, of: cost_center=CC-1, period: rolling, rolling_h: 5, usd: 9, per_seat: true}
  - {id: seats, level: org, of: acme, period: week, start_day: 7, usd: 50, per_seat: true}
"""


def mistakes(budget: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse_directory((HEAD + f"  - {{{budget}}}\n").encode(), {}, "d")
    return [str(problem).removeprefix("d:7: budgets[0]") for problem in caught.value.problems]


def parsed(text: str):
    return parse_directory((HEAD + text).encode(), {}, "d")[0].budgets


def test_the_contracts_examples_are_read():
    budgets = {budget.id: budget for budget in parsed(EXAMPLES)}
    assert len(budgets) == 7
    assert budgets["platform-month"].stages_ppm() == [(800_000, "alert"), (950_000, "downgrade"), (1_100_000, "pause")]
    assert budgets["ci-day"].stages_ppm() == [(1_000_000, "pause")]
    assert budgets["alice-opus"].usd_nano() == 100_000_000_001
    assert tuple(budgets["alice-opus"].stages_ppm()) == DEFAULT_STAGES
    assert budgets["one-session"].stages == ()
    assert budgets["seats"].per_seat


def test_a_file_travels_to_the_control_plane_unchanged(tmp_path):
    path = tmp_path / "directory.yaml"
    path.write_text(HEAD + EXAMPLES)
    directory, _ = load_directory(path, {})
    again, _ = parse_directory(resolved(path), {}, "sent")
    assert again.budgets == directory.budgets
    assert again.keys[0].cost_center == "CC-1"


GOOD = "id: b, level: user, of: alice, period: day, usd: 1"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"usd": "0"}, ".usd: must be more than 0 and at most 50000000; to stop calls altogether there is `fastg"),
        ({"usd": "-1"}, ".usd: must be more than 0 and at most 50000000; to stop calls altogether there is `fast"),
        ({"usd": "1.0000000001"}, ".usd: has more than 9 decimal places"),
        ({"usd": "many"}, ".usd: expected a decimal number, got 'many'"),
        ({"level": "usr"}, ".level: must be one of org, team, user, key, tag; nearest: user; got 'usr'"),
        ({"of": "bob"}, ".of: bob is not declared under users"),
        ({"level": "team", "of": "alice"}, ".of: alice is not declared under teams"),
        ({"level": "tag"}, ".of: of a tag is NAME=VALUE, or NAME=* for each of its values"),
        ({"level": "tag", "of": "Branch=x"}, ".of: must be 1 to 64 lower-case letters, digits or any of . _ -"),
        ({"level": "tag", "of": "'branch='"}, ".of: must be 1 to 128 printable characters without spaces around"),
        ({"level": "tag", "of": "cost_center=CC-2"}, ".of: CC-2 is not declared under cost_centers"),
        ({"level": "tag", "of": "a=b", "org": "none"}, ".org: none is not declared under orgs"),
        ({"org": "acme"}, ".org: is for tags only; the org of a user is known"),
        ({"per_seat": "true"}, ".per_seat: a user is one seat already; per_seat is for an org, a team or a tag"),
        ({"period": "fortnight"}, ".period: must be one of day, week, month, quarter, total, rolling; nearest: m"),
        ({"period": "rolling"}, ".period: rolling needs rolling_h, the length of the window in hours"),
        ({"rolling_h": "5"}, ".rolling_h: is for the period rolling only"),
        ({"period": "rolling", "rolling_h": "0"}, ".rolling_h: must be between 1 and 8784, not '0'"),
        ({"tz": "Mars/Olympus"}, ".tz: 'Mars/Olympus' is no time zone that this machine knows; write UTC or a na"),
        ({"start_day": "2"}, ".start_day: a period of day has no start day"),
        ({"period": "week", "start_day": "8"}, ".start_day: a week starts on day 1 (Monday) to 7 (Sunday)"),
        ({"period": "quarter", "start_day": "32"}, ".start_day: a quarter starts on day 1 to 31"),
        ({"mode": "strict"}, ".mode: must be one of hard, soft; nearest: soft; got 'strict'"),
        ({"models": "['a b']"}, ".models[0]: must be a model id or a glob of one, like claude-*"),
        ({"stages": "[{at: 0, do: alert}]"}, ".stages[0].at: must be more than 0 and at most 10: 0.80 is 80 % of"),
        ({"stages": "[{at: 80, do: alert}]"}, ".stages[0].at: must be more than 0 and at most 10: 0.80 is 80 % o"),
        ({"stages": "[{at: 0.1234567, do: alert}]"}, ".stages[0].at: has more than 6 decimal places"),
        ({"stages": "[{at: 0.8, do: stop}]"}, ".stages[0].do: must be one of alert, downgrade, pause; nearest: a"),
        ({"stages": "[{at: 0.9, do: alert}, {at: 0.9, do: downgrade}]"}, ".stages: must rise: 0.9 comes after 0.9"),
        ({"stages": "[{at: 1, do: pause}, {at: 1.1, do: alert}]"}, ".stages: alert at 1.1 is never reached: call"),
        ({"stages": "[{at: 0.8, do: downgrade}, {at: 1, do: downgrade}]"}, ".stages: more than one downgrade"),
        ({"user": "alice"}, ".user: unknown key; nearest known key: usd"),
    ],
)
def test_what_is_wrong_with_a_budget(change, wrong):
    fields = dict(part.split(": ") for part in GOOD.split(", "))
    [found] = mistakes(", ".join(f"{name}: {value}" for name, value in {**fields, **change}.items()))
    assert found.startswith(wrong)


def test_an_id_twice_and_a_missing_amount_come_together():
    with pytest.raises(ConfigErrors) as caught:
        parsed(
            "  - {id: b, level: org, of: acme, period: day}\n  - {id: b, level: org, of: acme, period: day, usd: 1}\n"
        )
    assert [str(problem) for problem in caught.value.problems] == [
        "d:7: budgets[0].usd: missing",
        "d:8: budgets[1].id: b is already the id of budgets[0]",
    ]


def test_a_tag_needs_an_org_where_there_are_several():
    text = 'orgs: [{id: a}, {id: b}]\nbudgets: [{id: x, level: tag, of: "p=q", period: day, usd: 1}]\n'
    with pytest.raises(ConfigErrors, match="needs an org: a tag is one of its org, and several are declared"):
        parse_directory(text.encode(), {}, "d")


def test_a_key_made_elsewhere_is_warned_of():
    _, warnings = parse_directory((HEAD + "  - {id: b, level: key, of: ci2, period: day, usd: 1}\n").encode(), {}, "d")
    message = "ci2 is not declared here; it must have been made with `fastgate keys create`"
    assert [str(warning) for warning in warnings] == [f"d:7: budgets[0].of: {message}"]


@given(st.lists(st.integers(1, 10_000_000), min_size=1, max_size=8, unique=True).map(sorted))
def test_stages_keep_every_part_per_million(parts):
    stages = [(at_ppm, "alert") for at_ppm in parts]
    text = ", ".join(f"{{at: {stage.at:f}, do: alert}}" for stage in stages_of(stages))
    budget = parsed(f"  - {{id: b, level: org, of: acme, period: day, usd: 1, stages: [{text}]}}\n")[0]
    assert budget.stages_ppm() == stages
