"""The curves of the documentation."""

from collections.abc import Sequence
from pathlib import Path

from evals.suites.speed_result import Speed
from qa_agents.errors import UnavailableError

COLOURS = {"triage, whole": "#1b6ca8", "search alone": "#5aa9e6", "bm25_scan": "#c8553d", "chroma_topk": "#7a7a7a"}


def cost_curve(speed: Speed, path: Path) -> None:
    """Milliseconds a report against the size of the memory, both logarithmic, as SVG or whatever the ending says.

    Line: median; band: to the 95th percentile; dotted: what linear growth would be. Raises UnavailableError without
    matplotlib.
    """
    try:
        import matplotlib
    except ImportError:
        raise UnavailableError("matplotlib is not installed.", hint="pip install -e '.[evals]'") from None
    # The same run gives the same file: no random ids, no date, text as text.
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "qa-agents", "svg.fonttype": "none", "font.size": 10})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    sizes = [at.size for at in speed.sizes]
    for name, (medians, p95) in _lines(speed).items():
        axes.plot(sizes, medians, "o-", color=COLOURS.get(name), label=name)
        axes.fill_between(sizes, medians, p95, color=COLOURS.get(name), alpha=0.12, linewidth=0)
    first = speed.sizes[0].triage.median
    axes.plot(
        sizes, [first * size / sizes[0] for size in sizes], ":", color="black", linewidth=1, label="linear growth"
    )
    axes.set(xscale="log", yscale="log", xlabel="incidents in memory", ylabel="ms a report (median; band to p95)")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _lines(speed: Speed) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """Name to medians and 95th percentiles, one value a size; peers that were measured everywhere."""
    everywhere = [name for name in speed.sizes[0].peers if all(name in at.peers for at in speed.sizes)]
    peers = {name: [at.peers[name].query for at in speed.sizes] for name in everywhere}
    spreads = {
        "triage, whole": [at.triage for at in speed.sizes],
        "search alone": [at.search for at in speed.sizes],
        **peers,
    }
    return {name: ([s.median for s in found], [s.p95 for s in found]) for name, found in spreads.items()}
