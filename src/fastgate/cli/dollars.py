"""Amounts as people type them: dollars, `50` or `$0.25`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import click

from fastgate.amounts import usd_problem

_AMOUNT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


class Dollars(click.ParamType[Decimal]):
    """The limit of a budget or an increase, exactly as it was typed."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        if isinstance(value, Decimal):
            return value
        text = value.strip().removeprefix("$")
        if not _AMOUNT.fullmatch(text):
            self.fail(f"{value!r} is no amount; write dollars, like 50 or 0.25.", param, ctx)
        amount = Decimal(text)
        if wrong := usd_problem(amount):
            self.fail(f"{value} {wrong}.", param, ctx)
        return amount
