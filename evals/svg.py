"""Line charts as inline SVG: no script, no library; colours come from the page's style sheet, so they follow its theme.

Lines differ in dash as well as in colour, and each chart names what it shows for those who do not see it.
"""

from collections.abc import Sequence
from html import escape

from evals.suites.triage.result import SYSTEM, Curve

WIDTH, HEIGHT = 520, 330
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 44
DASHES = ("", "7 4", "2 3", "10 3 2 3", "5 2", "1 4", "12 4")
SERIES = len(DASHES)
CONTENDERS = (SYSTEM, "majority", "neighbours' vote", "TF-IDF + linear", "reporter's choice")
TICKS = 5


def line_chart(
    curves: Sequence[Curve],
    *,
    label: str,
    x_label: str,
    y_label: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    dots: bool = False,
) -> str:
    """The curves in one chart with its legend; `label` says in a sentence what is to be seen."""
    low_x, high_x = x_range or _range([p.x for c in curves for p in c.points])
    low_y, high_y = y_range or _range([p.y for c in curves for p in c.points])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - low_x) / ((high_x - low_x) or 1)
        up = (y - low_y) / ((high_y - low_y) or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for value, text in _ticks(low_y, high_y):
        x0, y = place(low_x, value)
        parts.append(f'<line class="grid" x1="{x0:.1f}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for value, text in x_ticks or _ticks(low_x, high_x):
        x, _ = place(value, low_y)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(text)}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>'
        f'<text transform="translate(13 {(HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
    )
    for n, curve in zip(styles([curve.name for curve in curves]), curves, strict=True):
        points = [place(p.x, min(max(p.y, low_y), high_y)) for p in curve.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="line s{n % SERIES}" stroke-dasharray="{DASHES[n % SERIES]}" points="{path}"/>')
        if dots or len(points) == 1:
            parts += [f'<circle class="dot s{n % SERIES}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points]
    parts.append("</svg>")
    return "".join(parts) + legend([curve.name for curve in curves])


def legend(names: Sequence[str]) -> str:
    """The names, each with a piece of its line."""
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 34 8" aria-hidden="true"><line class="line s{n % SERIES}" x1="0" y1="4" '
        f'x2="34" y2="4" stroke-dasharray="{DASHES[n % SERIES]}"/></svg> {escape(name)}</li>'
        for n, name in zip(styles(names), names, strict=True)
    )
    return f'<ul class="legend">{items}</ul>'


def styles(names: Sequence[str]) -> list[int]:
    """A style for each name; a contender has the same one in every chart."""
    fixed = {name: CONTENDERS.index(name) for name in names if name in CONTENDERS}
    free = (n for n in range(len(names) + SERIES) if n not in fixed.values())
    return [fixed[name] if name in fixed else next(free) for name in names]


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    values = [low + (high - low) * n / TICKS for n in range(TICKS + 1)]
    whole = all(abs(value - round(value)) < 1e-9 for value in values)
    return [(value, f"{value:,.0f}" if whole and high > 1 else f"{value:.2g}") for value in values]


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
