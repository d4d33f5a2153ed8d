"""The figures as a picture: bench/load.svg, bars of calls a second by row and server. Written as text, so that it needs
no library and is the same for the same figures."""

from __future__ import annotations

from html import escape

from bench.load import report

LEFT, WIDTH, BAR, GAP = 330, 560, 16, 10
"""Pixels: names to the left, the longest bar, one bar, between rows."""

COLOURS = {
    "mock": "#b8bec6",
    "nginx": "#7d8ea3",
    "bare": "#9db7e8",
    "fastgate": "#2f6fde",
    "budgeted": "#2a8fb5",
    "screened": "#8a63d2",
    "guarded": "#5b4fc4",
    "cached": "#2e9e6b",
}


def plot(found: list[report.Line]) -> str:
    """Every row on its own scale: small and large bodies differ thirtyfold."""
    parts, y = [], GAP
    for name in dict.fromkeys(line.row for line in found):
        lines = [line for line in found if line.row == name]
        most = max(line.requests_per_s for line in lines) or 1.0
        parts.append(text(0, y + BAR - 4, report.title(name), "bold"))
        y += BAR + 4
        for line in lines:
            size = max(1, round(WIDTH * line.requests_per_s / most))
            colour = COLOURS.get(line.target, "#2f6fde")
            parts.append(text(20, y + BAR - 4, line.target))
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{size}" height="{BAR - 3}" fill="{colour}"/>')
            parts.append(text(LEFT + size + 6, y + BAR - 4, f"{line.requests_per_s:,.0f}/s, p99 {line.p99_ms:.1f} ms"))
            y += BAR
        y += GAP
    frame = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 190}" height="{y}" font-family="sans-serif"'
    )
    return "\n".join(
        [f'{frame} font-size="12">', '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"]
    )


def text(x: int, y: int, words: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(words)}</text>'
