"""Charts as inline SVG: no script, no library. Colours hold in light, dark and print, and every chart says itself in words."""

from collections.abc import Sequence
from html import escape

from qa_agents.plurals import counted
from qa_agents.results.schema import Outcome
from qa_agents.results.store import StoredRun
from qa_agents.results.summary import Summary

WIDTH = 640
_BAR, _GAP, _LABEL = 26, 14, 96
_TREND, _FOOT = 120, 22
COLOURS: dict[Outcome, str] = {"passed": "#2f7a52", "failed": "#c63d39", "error": "#8450ad", "skipped": "#6b717b"}
WORDS: dict[Outcome, str] = {"passed": "passed", "failed": "failed", "error": "broke", "skipped": "skipped"}
_ROOM = 34
"""Pixels that a number needs to stand within its part of a bar."""
_INK = "fill:var(--ink)"


def outcome_bars(summary: Summary) -> str:
    """How the run's tests came out, beside the baseline's; "" without tests."""
    rows = [("this run", summary.comparison.counts)]
    if summary.comparison.baseline_counts:
        rows.append(("baseline", summary.comparison.baseline_counts))
    most = max((sum(counts.values()) for _, counts in rows), default=0)
    if not most:
        return ""
    parts = []
    for at, (label, counts) in enumerate(rows):
        top = at * (_BAR + _GAP)
        parts.append(f'<text x="0" y="{top + 18}" style="{_INK}">{label}</text>')
        left = float(_LABEL)
        for outcome, colour in COLOURS.items():
            width = (WIDTH - _LABEL) * counts.get(outcome, 0) / most
            if width:
                width = max(width, 2.0)  # one red test among thousands must be seen
                parts.append(
                    f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" style="fill:{colour}"/>'
                )
                if width >= _ROOM:
                    middle = left + width / 2
                    parts.append(
                        f'<text x="{middle:.1f}" y="{top + 18}" text-anchor="middle" style="fill:#fff">{counts[outcome]:,}</text>'
                    )
                left += width
    said = "; ".join(f"{label}: {_told(counts)}" for label, counts in rows)
    return _figure(parts, len(rows) * (_BAR + _GAP), f"Tests by outcome. {said}.") + _legend(summary.comparison.counts)


def trend(runs: Sequence[StoredRun]) -> str:
    """Failed and broken tests of the last runs, oldest first; "" for fewer than three runs."""
    if len(runs) < 3:
        return ""
    reds = [(run.counts.get("failed", 0), run.counts.get("error", 0)) for run in runs]
    most = max(1, *(failed + broken for failed, broken in reds))
    step = (WIDTH - _LABEL) / len(runs)
    parts = [
        f'<line x1="{_LABEL}" y1="{_TREND}" x2="{WIDTH}" y2="{_TREND}" style="stroke:var(--soft)"/>',
        f'<text x="{_LABEL - 8}" y="12" text-anchor="end" style="{_INK}">{most:,} red</text>',
        f'<text x="{_LABEL - 8}" y="{_TREND}" text-anchor="end" style="{_INK}">0</text>',
        f'<text x="{_LABEL}" y="{_TREND + _FOOT - 4}" style="{_INK}">{runs[0].when:%Y-%m-%d}</text>',
        f'<text x="{WIDTH}" y="{_TREND + _FOOT - 4}" text-anchor="end" style="{_INK}">{runs[-1].when:%Y-%m-%d}</text>',
    ]
    for at, (run, (failed, broken)) in enumerate(zip(runs, reds, strict=True)):
        left, width = _LABEL + at * step + step * 0.1, max(step * 0.8, 1.0)
        bottom = float(_TREND)
        title = f"<title>{escape(run.info.run_id)}: {_told(run.counts)}</title>"
        if not failed + broken:
            parts.append(
                f'<g>{title}<rect x="{left:.1f}" y="{_TREND - 2}" width="{width:.1f}" height="2" style="fill:#2f7a52"/></g>'
            )
        for number, colour in ((failed, COLOURS["failed"]), (broken, COLOURS["error"])):
            height = (_TREND - 4) * number / most
            if number:
                bottom -= height
                place = f'x="{left:.1f}" y="{bottom:.1f}" width="{width:.1f}" height="{height:.1f}"'
                parts.append(f'<g>{title}<rect {place} style="fill:{colour}"/></g>')
    now = sum(reds[-1])
    said = (
        f"Red tests of the last {len(runs)} runs: between {min(map(sum, reds)):,} and {most:,}, {now:,} in the newest."
    )
    return _figure(parts, _TREND + _FOOT, said)


def cause_bars(summary: Summary, shown: int = 8) -> str:
    """How many tests each of the largest causes explains; "" for fewer than two."""
    causes = sorted(summary.causes, key=lambda cause: -cause.size)[:shown]
    if len(causes) < 2:
        return ""
    most = causes[0].size
    parts = []
    for at, cause in enumerate(causes):
        top = at * (_BAR + 6)
        colour = (
            COLOURS["failed"]
            if cause.kind in ("new", "failing")
            else "#8f6a00"
            if cause.kind == "suspected"
            else COLOURS["skipped"]
        )
        width = max((WIDTH - _LABEL - 60) * cause.size / most, 2.0)
        parts.append(f'<text x="0" y="{top + 18}" style="{_INK}">{escape(cause.id)}</text>')
        parts.append(f'<rect x="{_LABEL}" y="{top}" width="{width:.1f}" height="{_BAR}" style="fill:{colour}"/>')
        parts.append(f'<text x="{_LABEL + width + 8:.1f}" y="{top + 18}" style="{_INK}">{cause.size:,}</text>')
    said = ", ".join(f"{cause.id} {counted(cause.size, 'test')}" for cause in causes)
    return _figure(parts, len(causes) * (_BAR + 6), f"Tests explained by each cause: {said}.")


def _told(counts: dict[Outcome, int]) -> str:
    return (
        ", ".join(f"{counts[outcome]:,} {word}" for outcome, word in WORDS.items() if counts.get(outcome)) or "no test"
    )


def _figure(parts: Sequence[str], height: int, said: str) -> str:
    style = f"width:100%;max-width:{WIDTH}px;height:auto;font-size:13px;font-variant-numeric:tabular-nums"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(said)}" style="{style}">'
        f"<title>{escape(said)}</title>{''.join(parts)}</svg>"
    )


def _legend(counts: dict[Outcome, int]) -> str:
    marks = "".join(
        f'<span style="margin-right:1rem;white-space:nowrap"><svg width="12" height="12" aria-hidden="true">'
        f'<rect width="12" height="12" style="fill:{colour}"/></svg> {WORDS[outcome]} {counts.get(outcome, 0):,}</span>'
        for outcome, colour in COLOURS.items()
    )
    return f'<p class="soft">{marks}</p>'
