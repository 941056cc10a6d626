"""The report of a triage measurement as one self-contained page: a table, the plots, what they rest on. No script."""

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from evals.scorers.calibration import Bin
from evals.suites.triage.result import SYSTEM, Curve, Line, Measured, Point
from evals.suites.triage.tables import compared, sorted_lines
from evals.svg import line_chart

STYLE = Path(__file__).with_name("page.css")
ALPHA_TICKS = [(value, f"{value:.0%}") for value in (0.01, 0.05, 0.1, 0.2, 0.3)]


def page(result: Measured) -> str:
    """The page as HTML, UTF-8, light or dark as the reader's system asks."""
    name = escape(result.dataset)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Triage of {name}</title><style>{STYLE.read_text('utf-8')}</style></head><body><main>"
        f"{_head(result)}<h2>Plots</h2>{_plots(result)}{_confusion(result.confusion)}"
        f"<h2>Every measure, beside every peer</h2>{_table(result.lines)}{_rest(result)}</main></body></html>\n"
    )


def _head(result: Measured) -> str:
    origin = result.provenance
    known = "the day after filing" if result.labels_known == "filed" else "once a report was closed"
    return (
        f"<h1>Triage of {escape(result.dataset)}</h1>"
        f"<p>{result.reports:,} reports filed from {escape(result.start)} on, replayed in time order through the real "
        f"triage; {result.memory:,} were in memory before, {result.duplicates:,} have an earlier duplicate. Fields that "
        f"people chose count as known {known}; assignee, outcome and duplicate links only once a report was closed.</p>"
        f'<p class="soft"><code>{escape(origin.command)}</code>, {escape(origin.started)}, commit {escape(origin.commit)}, '
        f"{origin.cores} cores, Python {escape(origin.python)}, data sha256 {origin.dataset_sha256[:12]}…</p>"
    )


def _plots(result: Measured) -> str:
    figures = []
    if result.recall:
        label = "Share of duplicates of which an earlier report of the same cluster is among the first k, by k"
        figures.append(
            _figure("Duplicates found among the first k", line_chart(
                result.recall, label=label, x_label="k", y_label="recall", x_range=(1, 20), y_range=(0, 1),
                x_ticks=[(k, str(k)) for k in (1, 5, 10, 15, 20)]))
        )  # fmt: skip
    if result.reliability:
        curves = [_reliability(field, bins) for field, bins in result.reliability.items()]
        even = Curve(name="as it should be", points=[Point(x=0, y=0), Point(x=1, y=1)])
        label = "Share that was right over the probability that was told, for each field; on the diagonal they agree"
        figures.append(
            _figure("Told and kept: reliability", line_chart(
                [*curves, even], label=label, x_label="probability told", y_label="share right", x_range=(0, 1),
                y_range=(0, 1), dots=True))
        )  # fmt: skip
    for field, curves in result.risk.items():
        label = f"Share of wrong answers over the share of reports answered, the surest first, for {field}"
        figures.append(
            _figure(f"{field.capitalize()}: risk over coverage", line_chart(
                sorted(curves, key=lambda c: c.name != SYSTEM), label=label, x_label="share answered",
                y_label="share wrong of it", x_range=(0, 1), y_range=(0, 1)))
        )  # fmt: skip
    if result.load:
        label = "Share of reports that reach a person, and of critical ones missed, over the share that may be missed"
        figures.append(
            _figure("Review load over α", line_chart(
                result.load, label=label, x_label="α: critical reports that may be missed, with 95 % confidence",
                y_label="share", x_range=(0, 0.3), y_range=(0, 1), x_ticks=ALPHA_TICKS))
        )  # fmt: skip
    for measure, curves in result.learning.items():
        most = max(int(p.x) for c in curves for p in c.points)
        label = f"{measure} over the number of duplicate links that the team has confirmed"
        places = {p.x: n for n, p in enumerate(curves[0].points)}
        even_steps = [
            Curve(name=c.name, points=[Point(x=places.get(p.x, p.x), y=p.y) for p in c.points]) for c in curves
        ]
        figures.append(
            _figure(f"Learning: {measure}", line_chart(
                even_steps, label=label, x_label=f"known duplicate links, up to {most:,}", y_label=measure,
                x_range=(0, max(1, len(places) - 1)), y_range=(0, 1),
                x_ticks=[(n, f"{x:,.0f}") for x, n in places.items()], dots=True))
        )  # fmt: skip
    return f'<div class="plots">{"".join(figures)}</div>' if figures else "<p>There was nothing to draw.</p>"


def _figure(title: str, body: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{body}</figure>"


def _reliability(field: str, bins: Sequence[Bin]) -> Curve:
    return Curve(name=field, points=[Point(x=part.said, y=part.kept) for part in bins])


def _confusion(counts: dict[str, dict[str, int]]) -> str:
    if not counts:
        return ""
    named = [*counts, *sorted({label for row in counts.values() for label in row if label} - counts.keys()), ""]
    columns = [label for label in named if any(label in row for row in counts.values())]
    head = "".join(f'<th scope="col" class="n">{escape(label) or "undetermined"}</th>' for label in columns)
    rows = []
    for true in counts:
        total = sum(counts[true].values()) or 1
        cells = "".join(
            f'<td class="n" style="--a:{0.55 * counts[true].get(c, 0) / total:.2f}">{counts[true].get(c, 0):,}</td>'
            for c in columns
        )
        rows.append(f'<tr><th scope="row">{escape(true)}</th>{cells}</tr>')
    return (
        '<h2>Severity: proposed against final</h2><div class="wide" tabindex="0" role="region" '
        'aria-label="Severity confusion"><table class="matrix"><caption>Rows: the final severity. Columns: what was '
        "proposed. Shade: share of the row.</caption>"
        f'<thead><tr><th scope="col">final \\ proposed</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _table(lines: Iterable[Line]) -> str:
    rows = []
    for key, group in groupby(sorted_lines(lines), key=lambda line: line.key):
        members = list(group)
        for n, line in enumerate(members):
            name = key.replace(".", ": ", 1) + (" ↓" if line.lower_is_better else "")
            lead = f'<th scope="rowgroup" rowspan="{len(members)}">{escape(name)}</th>' if n == 0 else ""
            difference, p, detectable = compared(line)
            classes = " ".join(c for c, yes in (("first", n == 0), ("ours", line.who == SYSTEM)) if yes)
            rows.append(
                f'<tr class="{classes}">{lead}<td>{escape(line.who)}</td><td class="n">{line.value.n:,}</td>'
                f'<td class="n">{line.value}</td><td class="n">{difference}</td><td class="n">{escape(p)}</td>'
                f'<td class="n">{detectable}</td></tr>'
            )
    heads = ("measure", "who", "n", "value (95 % CI)", f"{SYSTEM} − peer", "p, Holm", "detectable")
    head = "".join(f'<th scope="col"{" class=n" if n > 1 else ""}>{name}</th>' for n, name in enumerate(heads))
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="All measures"><table><caption>↓ lower is better. '
        "Rates: Wilson; others: bootstrap. Compared on the same cases, p adjusted for all comparisons (Holm). "
        "Detectable: the smallest difference seen at 80 % power.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _rest(result: Measured) -> str:
    notes = [*(f"Fitted {fitted}." for fitted in result.refits), *result.notes]
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    seconds = ", ".join(f"{escape(name)} {value:,.0f}" for name, value in result.seconds.items())
    return (
        "<h2>What to know</h2><ul><li>Duplicate links are incomplete: recall and precision against them are lower "
        "bounds.</li><li>A guess for a field counts even where the system leaves it undetermined and only shows "
        f"alternatives; the share it answers stands beside.</li>{items}</ul><p class='soft'>Seconds: {seconds}.</p>"
    )
