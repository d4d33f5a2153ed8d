"""The guards in force, as people ask for them: which there are, what each does, to whom, with which exceptions.

What guards found in a call stands in its record (calls.py); what they find in a file is the command line's own.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fastgate.clock import wall_ns
from fastgate.control.shapes import Page
from fastgate.control.shapes_guards import Guard, GuardException, GuardScope
from fastgate.directory_checks import moment_ns
from fastgate.guards import settings
from fastgate.guards.rule import load_scanners
from fastgate.times import rfc3339


def guards_in_force(guards: Iterable[settings.Guard] | None) -> Page[Guard]:
    """The rows of `guards:`; the default where the configuration has none."""
    families, now_ns = load_scanners(), wall_ns()
    rows = guards if guards is not None else (guard for guard in settings.DEFAULT if guard.use in families)
    return Page([_view(guard, guard.use in families, now_ns) for guard in rows])


def _view(guard: settings.Guard, family: bool, now_ns: int) -> Guard:
    severity = msgspec.structs.asdict(guard.severity)
    return Guard(
        use=guard.use,
        by="family" if family else "vendor",
        action=guard.action,
        severity={name: action for name, action in severity.items() if action is not None},
        rules=list(guard.rules),
        on=list(guard.on),
        scope=_scope(guard.scope),
        fail=guard.fail,
        shadow=guard.shadow,
        exceptions=[_exception(exemption, now_ns) for exemption in guard.exceptions],
    )


def _exception(exemption: settings.Exemption, now_ns: int) -> GuardException:
    until_ns = 0 if exemption.until is None else moment_ns(exemption.until)
    return GuardException(
        rule=exemption.rule,
        owner=exemption.owner,
        until=rfc3339(until_ns) if until_ns else None,
        over=0 < until_ns <= now_ns,
        match=exemption.match,
        reason=exemption.reason,
        scope=_scope(exemption.scope),
    )


def _scope(scope: settings.Scope | None) -> GuardScope | None:
    return None if scope is None else msgspec.convert(msgspec.structs.asdict(scope), GuardScope)
