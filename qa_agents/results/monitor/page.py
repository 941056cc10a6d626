"""A look at AI outputs as one page: findings, columns, evidence over time, slices, groups. No script, nothing loaded. Pure."""

from collections.abc import Iterator
from html import escape
from math import log10

from qa_agents.checkpoint.markup import Markup, Writer, document, tag
from qa_agents.results.bounds import told
from qa_agents.results.monitor.fairness import Fairness
from qa_agents.results.monitor.monitoring import Monitoring
from qa_agents.results.monitor.sequential import Watched
from qa_agents.results.monitor.words import column_says, headline, sentences, unseen

_WIDTH, _HEIGHT = 240, 48
_MOST = 4.0
"""Powers of ten at the top of the evidence's chart."""


def page(found: Monitoring) -> str:
    """The page, UTF-8; every text in it is inert."""
    write = Writer(lambda text: text)
    parts = [
        Markup(f"<header><h1>{write.text(headline(found))}</h1></header>"),
        write.items(sentences(found)),
        *_columns(write, found),
        *_latency(write, found),
        *_watched(write, found),
        *_slices(write, found),
        *_groups(write, found),
        *_limits(write, found),
    ]
    return document(write.text(f"Outputs of {found.run}"), tag("main", Markup("\n".join(parts))))


def _columns(write: Writer, found: Monitoring) -> Iterator[Markup]:
    if not found.columns:
        return
    rows = [
        (
            one.column,
            "" if one.before is None else told(one.before),
            "" if one.now is None else told(one.now),
            str(one.change) if one.change else f"{one.effect_name} {one.effect:.2f}",
            "" if one.p is None else f"{one.p:.2g}",
            tag("span", write.text(column_says(one)), "bad" if one.drifted else ""),
        )
        for one in found.columns
    ]
    yield tag("h2", "Against the baseline")
    yield write.table("Means, changes with 95 % intervals", ("column", "before", "now", "change", "p", ""), rows)
    yield tag(
        "p", "p is adjusted over the columns: of what is called changed, at most 5 % is expected to be chance.", "soft"
    )


def _latency(write: Writer, found: Monitoring) -> Iterator[Markup]:
    rows = [
        (
            f"{one.q:.0%}",
            str(one.before),
            str(one.now),
            "too few for it" if one.ratio is None else f"× {one.ratio:.2f} ({one.low:.2f} to {one.high:.2f})",
        )
        for one in found.latency
    ]
    yield write.table("Latency in milliseconds", ("so many are faster than", "before", "now", "ratio (95 %)"), rows)


def _watched(write: Writer, found: Monitoring) -> Iterator[Markup]:
    if not found.watched:
        return
    rows = [
        (
            one.column,
            _chart(one),
            f"{one.p:.2g}",
            str(one.change) if one.change else "",
            "" if one.detectable is None else f"±{told(one.detectable)}",
            tag("span", write.text(f"since {found.looks[one.alarmed_at]}"), "bad")
            if one.alarmed_at is not None
            else "",
        )
        for one in found.watched
    ]
    yield tag("h2", f"Over {len(found.looks) - 1} looks")
    yield write.table(
        "Evidence of change, valid however often one looks",
        ("column", "evidence", "p", "newest against first", "seen from", "alarm"),
        rows,
    )
    said = "A lasting change of at least what it is seen from, begun half way, raises the alarm in 80 of 100 such histories."
    yield tag("p", f"The dashed line is 20-fold evidence. Intervals hold at all looks together. {said}", "soft")


def _slices(write: Writer, found: Monitoring) -> Iterator[Markup]:
    rows = [
        (
            one.name,
            one.score,
            f"{one.n:,}",
            told(one.mean),
            told(one.rest),
            str(one.gap),
            f"{one.p:.2g}",
            str(one.since or ""),
        )
        for one in found.slices.found
    ]
    if found.slices.tested:
        small = f"; {found.slices.too_small} had too few outputs" if found.slices.too_small else ""
        yield tag("h2", "Where it fails")
        yield write.table(
            "Parts that are worse than the rest",
            ("where", "score", "n", "there", "elsewhere", "gap (95 %)", "p", "since the baseline"),
            rows,
        )
        none = "" if rows else " None is shown to be worse than the rest."
        yield tag("p", f"{found.slices.tested} parts were looked at{small}.{none}", "soft")


def _groups(write: Writer, found: Monitoring) -> Iterator[Markup]:
    if found.fairness:
        yield tag("h2", "Is it as good for everybody?")
    for one in found.fairness:
        yield write.table(
            f"{one.score} by {one.attribute}",
            ("group", "n", "mean", "gap to all others (95 %)", "seen from", "is"),
            _rows(write, one),
        )
    if found.fairness:
        margin = found.fairness[0].margin
        yield tag(
            "p",
            f"equal: shown to lie within ±{margin:g} of all others. worse, better: shown to differ. undecided: neither is shown. "
            "“seen from” is the gap that so many outputs show four times out of five.",
            "soft",
        )


def _rows(write: Writer, one: Fairness) -> Iterator[tuple[object, ...]]:
    for group in one.groups:
        gap = "" if group.gap is None else f"{group.gap:+.3f} ({group.low:+.3f} to {group.high:+.3f})"
        colour = {"worse": "bad", "equal": "good"}.get(group.standing, "")
        seen = "" if group.detectable is None else f"±{group.detectable:.2g}"
        yield group.value, f"{group.n:,}", str(group.now), gap, seen, tag("span", write.text(group.standing), colour)


def _limits(write: Writer, found: Monitoring) -> Iterator[Markup]:
    told_ = [*found.notes, *unseen(found)]
    if told_:
        yield tag("h2", "What could not be seen")
        yield write.items(told_)


def _chart(one: Watched) -> Markup:
    """The capital on a logarithmic scale, as a line; the text beside it says the same."""
    heights = [min(_MOST, max(-2.0, log10(max(value, 1e-9)))) for value in one.history]
    step = _WIDTH / max(1, len(heights) - 1)
    points = " ".join(f"{n * step:.1f},{_y(value):.1f}" for n, value in enumerate(heights))
    label = escape(f"Evidence of change in {one.column}: now {one.capital:.3g}", quote=True)
    line, colour = _y(log10(20)), "bad" if one.alarmed_at is not None else "accent"
    return Markup(
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}">'
        f'<line x1="0" x2="{_WIDTH}" y1="{line:.1f}" y2="{line:.1f}" stroke="var(--soft)" stroke-dasharray="3 3"/>'
        f'<polyline points="{points}" fill="none" stroke="var(--{colour})" stroke-width="2"/>'
        f"</svg> {told(one.capital) if one.capital < 1000 else 'above 1,000'}"
    )


def _y(power: float) -> float:
    return _HEIGHT - 3 - (power + 2.0) / (_MOST + 2.0) * (_HEIGHT - 6)
