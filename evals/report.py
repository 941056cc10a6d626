"""Results as Markdown tables: what the terminal shows is what the documentation holds."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from evals.budgets import Budget
from evals.provenance import Provenance
from evals.stats import Interval, Spread
from evals.suites.retrieval import CUTS, Retrieval
from evals.suites.speed_result import AtSize, Speed
from qa_agents.errors import InvalidInputError


def speed_report(speed: Speed, budgets: Sequence[Budget]) -> str:
    """Everything a speed run found."""
    kept = [f"- {note}" for note in speed.notes]
    kept += [f"- load while triaging at {at.size:,}: {at.load}" for at in speed.sizes if at.load is not None]
    kept += [f"- at {at.size:,}: {note}" for at in speed.sizes for note in at.notes]
    parts = [
        "## Speed",
        origin(speed.provenance, speed.seconds),
        "### Budgets",
        table(("promise", "limit", "measured", ""), map(_budget_row, budgets)),
        "### Import",
        table(("what", "n", "median", "p95", "min–max"), _rates(speed)),
        table(
            ("incidents", "import, incidents/s", "storing ready vectors, s", "calibrating, s"), map(_built, speed.sizes)
        ),
        "### One report at a time, warm (ms)",
        table(("incidents", "what", "n", "median", "p95", "min–max"), _times(speed.sizes)),
        "Ratios of medians on the same reports, 95 % paired bootstrap; below 1 the system is faster. The whole triage "
        "includes facts, search, judgement, each step stored, the report remembered. A peer only answers its query.",
        table(("incidents", "peer", "n", "whole triage / peer", "search / peer"), _ratios(speed.sizes)),
        _growth(speed.growth),
        "### Batch through the command line",
        table(
            (
                "incidents",
                "n",
                "reports/s",
                "reports/s with start",
                "start, s",
                "ms between verdicts: median, p95, min–max",
                "peak MB",
            ),
            map(_batch, speed.sizes),
        ),
        "### Disk (MB, after the batch)",
        table(("incidents", *_places(speed.sizes)), (_disk(at, _places(speed.sizes)) for at in speed.sizes)),
        "\n".join(kept),
    ]
    return "\n\n".join(part for part in parts if part)


def retrieval_report(retrieval: Retrieval) -> str:
    """Everything a retrieval run found."""
    n = len(retrieval.queries)
    quality = (
        (name, *(str(found.recall[cut]) for cut in CUTS), str(found.mrr)) for name, found in retrieval.quality.items()
    )
    differences = (
        (name, _signed(d.recall_at_10), f"{d.only_system} : {d.only_peer}", f"{d.p:.2g}", _signed(d.mrr))
        for name, d in retrieval.differences.items()
    )
    parts = [
        "## Retrieval",
        origin(retrieval.provenance, retrieval.seconds),
        f"{n} duplicate queries from {retrieval.start} on, replayed in time order over {retrieval.replayed:,} "
        "incidents. 95 % intervals: Wilson for recall, bootstrap for MRR@20.",
        table(("who", *(f"recall@{cut}" for cut in CUTS), "MRR@20"), quality),
        f"In the pool that is ordered: {retrieval.ceiling}, the ceiling of any order." if retrieval.ceiling else "",
        "System minus peer on the same queries, 95 % paired bootstrap; McNemar's exact p for recall@10.",
        table(("peer", "recall@10", "answered by one only", "p", "MRR@20"), differences),
        "\n".join(f"- {note}" for note in retrieval.notes),
    ]
    return "\n\n".join(part for part in parts if part)


def refresh(page: Path, section: str, text: str) -> None:
    """Put `text` between a page's marks `<!-- begin section -->` and `<!-- end section -->`.

    Raises InvalidInputError when the page cannot be read or has no such marks.
    """
    begin, end = f"<!-- begin {section} -->", f"<!-- end {section} -->"
    try:
        before, opened, rest = page.read_text("utf-8").partition(begin)
    except OSError as error:
        raise InvalidInputError(f"{page} cannot be read ({error.strerror}).") from None
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise InvalidInputError(f"{page} has no place for {section}.", hint=f"Add the lines {begin} and {end}.")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, aligned so that it reads well without a renderer."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    padded = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rule = " | ".join("-" * max(width, 3) for width in widths)
    return "\n".join(f"| {line} |" for line in (padded[0], rule, *padded[1:]))


def origin(found: Provenance, seconds: float) -> str:
    """What a result rests on, in one sentence."""
    return (
        f"`{found.command}`, {found.started}, commit {found.commit}, {found.cores} cores ({found.cpu}), "
        f"{found.memory_gb} GB, load {found.load} before the start, Python {found.python}; data {found.dataset} "
        f"(sha256 {found.dataset_sha256[:12]}…), seed {found.seed}; {seconds / 60:.0f} min."
    )


def _budget_row(budget: Budget) -> tuple[str, ...]:
    sign = "≥" if budget.at_least else "≤"
    limit = "below 1" if budget.unit == "x" else f"{sign} {budget.limit:,.0f} {budget.unit}"
    return budget.name, limit, "–" if budget.value is None else _number(budget.value), budget.state


def _rates(speed: Speed) -> Iterable[tuple[str, ...]]:
    yield "import without vectors, incidents/s", *_spread(speed.imports)
    yield "the embedder's own rate, texts/s", *_spread(speed.embedder)


def _built(at: AtSize) -> tuple[str, ...]:
    rate = at.size / at.vectors_seconds
    return (
        f"{at.size:,}",
        _number(at.imported.rate),
        f"{at.vectors_seconds:.0f} ({rate:,.0f}/s)",
        f"{at.calibration_seconds:.0f}",
    )


def _times(sizes: Sequence[AtSize]) -> Iterable[tuple[str, ...]]:
    for at in sizes:
        yield f"{at.size:,}", "triage, whole", *_spread(at.triage)
        yield f"{at.size:,}", "its processor time", *_spread(at.triage_cpu)
        yield f"{at.size:,}", "search alone", *_spread(at.search)
        for name, peer in at.peers.items():
            yield f"{at.size:,}", name, *_spread(peer.query)


def _ratios(sizes: Sequence[AtSize]) -> Iterable[tuple[str, ...]]:
    for at in sizes:
        for name, peer in at.peers.items():
            yield f"{at.size:,}", name, str(peer.query.n), _times_as(peer.triage_ratio), _times_as(peer.search_ratio)


def _batch(at: AtSize) -> tuple[str, ...]:
    batch, between = at.batch, at.batch.between
    gaps = f"{between.median * 1e3:.0f}, {between.p95 * 1e3:.0f}, {between.low * 1e3:.0f}–{between.high * 1e3:.0f}"
    peak = f"{batch.peak_mb:,.0f}" if batch.peak_mb else "–"
    return (
        f"{at.size:,}",
        str(batch.reports),
        _number(batch.rate),
        _number(batch.rate_with_start),
        f"{batch.start_seconds:.1f}",
        gaps,
        peak,
    )


def _places(sizes: Sequence[AtSize]) -> list[str]:
    return list(dict.fromkeys(place for at in sizes for place, mb in at.disk_mb.items() if mb >= 0.05))


def _disk(at: AtSize, places: Sequence[str]) -> tuple[str, ...]:
    return f"{at.size:,}", *(f"{at.disk_mb.get(place, 0.0):.1f}" for place in places)


def _growth(exponent: float | None) -> str:
    if exponent is None:
        return ""
    return f"The cost of a report grows as size^{exponent:.2f} (least squares in the logarithms over these sizes)."


def _spread(spread: Spread) -> tuple[str, ...]:
    return str(spread.n), _number(spread.median), _number(spread.p95), f"{_number(spread.low)}–{_number(spread.high)}"


def _times_as(ratio: Interval) -> str:
    return f"{ratio.value:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"


def _signed(difference: Interval) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
