"""A dry run to read: one HTML page that needs nothing else, its plot as inline SVG. Draws what `report.view` gives.

No script, no style sheet, no font from anywhere: the file can be mailed and opened years later.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]
Cells = Sequence[tuple[str, Callable[[Row], Any]]]

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 70, 10, 10, 30
"""Margins of the plot in pixels: room for the amounts and the dates."""
GRID_LINES = 4
DATES_SHOWN = 10
ROWS_SHOWN = 200
"""Of each table; the JSON and CSV forms have all."""

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.figures { display: flex; flex-wrap: wrap; gap: 1.5rem; padding: 0; list-style: none; }
.figures strong { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d7dce2; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #57606a; }
.recorded { fill: #c8d1dc; } .replayed { fill: #2f6fb0; } .grid { stroke: #e4e8ec; }
.key { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem; }
small { color: #57606a; }
@media (prefers-color-scheme: dark) {
  body { background: #14181d; color: #e3e8ee; } th, td { border-color: #333b45; } .recorded { fill: #4a5561; }
  .replayed { fill: #6aa7e0; } .grid { stroke: #2a313a; } svg text, small { fill: #9aa5b1; color: #9aa5b1; }
}
"""

OUTCOMES: Cells = (
    ("budget", lambda row: row["budget"]),
    ("of", lambda row: f"{row['level']} {row['of']}" + (f", {row['seat']}" if row["seat"] else "")),
    ("period from", lambda row: day_and_time(row["period_start"])),
    (
        "stages reached",
        lambda row: "; ".join(f"{s['do']} at {s['at']}: {day_and_time(s['when'])}" for s in row["stages"]),
    ),
    ("first refused", lambda row: day_and_time(row["first_refused"])),
    ("refused", lambda row: row["refused_calls"]),
    ("$ refused", lambda row: cents(row["refused"])),
    ("downgraded", lambda row: row["downgraded_calls"]),
    ("$ saved", lambda row: cents(row["downgrade_saved"])),
)
NUMBERS = frozenset({"calls", "refused", "$ refused", "downgraded", "$ saved", "$ recorded", "$ replayed", "$ avoided"})


def page(report: Row) -> str:
    """The whole document."""
    total = report["total"]
    parts = [
        "<!doctype html>\n<html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Dry run of budgets</title><style>{STYLE}</style>",
        "<h1>What these budgets would have done</h1>",
        f"<p>Budgets: {text(', '.join(report['budgets']))}. Calls begun from {text(day_and_time(report['since']))} to ",
        f"{text(day_and_time(report['until']))} UTC; there are calls on {report['days_recorded']} days of it.</p>",
        _figures(total),
        "<h2>Spend by day</h2>",
        plot(report["days"]),
        "<h2>What happened, and when</h2>",
        table(OUTCOMES, report["items"], "Nothing: no stage would have been reached and no call refused."),
    ]
    for title, name in (("Teams", "team"), ("Users", "user"), ("Keys", "key")):
        parts += [f"<h2>{title}</h2>", table(_subject(name), report[f"{name}s"], "None.")]
    parts += ["<h2>What the replay assumes</h2><ul>", *(f"<li>{text(line)}</li>" for line in report["assumptions"])]
    return "".join([*parts, "</ul></html>\n"])


def _figures(total: Row) -> str:
    shown = (
        ("calls", f"{total['calls']:,}"),
        ("recorded", f"$ {cents(total['recorded'])}"),
        ("would have been spent", f"$ {cents(total['replayed'])}"),
        ("avoided", f"$ {cents(total['avoided'])}"),
        ("calls refused", f"{total['refused_calls']:,}"),
        ("calls downgraded", f"{total['downgraded_calls']:,}"),
    )
    items = "".join(f"<li><strong>{text(value)}</strong>{text(name)}</li>" for name, value in shown)
    return f"<ul class='figures'>{items}</ul>"


def _subject(name: str) -> Cells:
    return (
        (name, lambda row: row[name] or "(none)"),
        ("calls", lambda row: row["calls"]),
        ("$ recorded", lambda row: cents(row["recorded"])),
        ("$ replayed", lambda row: cents(row["replayed"])),
        ("$ avoided", lambda row: cents(row["avoided"])),
        ("refused", lambda row: row["refused_calls"]),
        ("first refused", lambda row: day_and_time(row["first_refused"])),
        ("downgraded", lambda row: row["downgraded_calls"]),
        ("first downgraded", lambda row: day_and_time(row["first_downgraded"])),
    )


def table(cells: Cells, rows: Sequence[Row], empty: str) -> str:
    """Rows as HTML; what is cut off is said."""
    if not rows:
        return f"<p>{text(empty)}</p>"
    head = "".join(f"<th{_n(name)}>{text(name)}</th>" for name, _ in cells)
    body = "".join(
        "<tr>" + "".join(f"<td{_n(name)}>{text(value(row))}</td>" for name, value in cells) + "</tr>"
        for row in rows[:ROWS_SHOWN]
    )
    rest = len(rows) - ROWS_SHOWN
    more = f"<p><small>and {rest} more, in the JSON and CSV forms</small></p>" if rest > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def plot(days: Sequence[Row]) -> str:
    """Bars of each day: what was recorded, and before it what would have been spent."""
    if not days:
        return "<p>No calls are recorded in this time.</p>"
    amounts = [(Decimal(day["recorded"]), Decimal(day["replayed"])) for day in days]
    top = nice_top(max(recorded for recorded, _ in amounts))
    high = HEIGHT - TOP - BOTTOM
    step = Decimal(WIDTH - LEFT - RIGHT) / len(days)
    parts = [f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='Recorded and replayed spend by day'>"]
    for line in range(GRID_LINES + 1):
        y = TOP + high - high * line // GRID_LINES
        parts.append(f"<line class='grid' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y}' y2='{y}'/>")
        parts.append(f"<text x='{LEFT - 6}' y='{y + 4}' text-anchor='end'>$ {amount(top * line / GRID_LINES)}</text>")
    every = max(1, -(-len(days) // DATES_SHOWN))
    for n, (day, (recorded, replayed)) in enumerate(zip(days, amounts, strict=True)):
        x, width = LEFT + step * n, step * Decimal("0.8")
        told = f"{day['day']}: recorded $ {cents(day['recorded'])}, would have been $ {cents(day['replayed'])}"
        parts.append(f"<g><title>{text(told)}</title>")
        for name, value in (("recorded", recorded), ("replayed", replayed)):
            tall = high * value / top
            parts.append(f"<rect class='{name}' x='{x:.1f}' y='{TOP + high - tall:.1f}' width='{width:.1f}'")
            parts.append(f" height='{tall:.1f}'/>")
        parts.append("</g>")
        if n % every == 0:
            parts.append(f"<text x='{x:.1f}' y='{HEIGHT - 8}'>{text(day['day'][5:])}</text>")
    key = "<p><span class='key' style='background:#c8d1dc'></span>recorded"
    return "".join(
        [*parts, "</svg>", key, "<span class='key' style='background:#2f6fb0'></span>with these budgets</p>"]
    )


def nice_top(largest: Decimal) -> Decimal:
    """The next 1, 2 or 5 times a power of ten: the scale's upper end."""
    if largest <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb(largest.adjusted())
    return next(power * times for times in (1, 2, 5, 10) if power * times >= largest)


def amount(value: Decimal) -> str:
    """A scale's figure: as short as it can be said."""
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def cents(usd: str) -> str:
    """Dollars to the cent with thousands apart; the JSON form has the nano-dollars."""
    return f"{Decimal(usd).quantize(Decimal('0.01')):,}"


def day_and_time(moment: str | None) -> str:
    return "" if moment is None else moment[:16].replace("T", " ")


def text(value: Any) -> str:
    """Names may come from anywhere: nothing of them is markup."""
    return html.escape(str(value))


def _n(name: str) -> str:
    return " class='n'" if name in NUMBERS else ""
