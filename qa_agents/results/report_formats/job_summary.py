"""The summary as Markdown for a job's page at GitHub, GitLab or elsewhere: what matters on top, the rest folded.

What comes from results is put into code spans or escaped, so that a test's name cannot become a link, an image or HTML.
"""

import re
from collections.abc import Iterable, Sequence

from qa_agents.results.cluster import Cause
from qa_agents.results.compare import Comparison, Kind, TestChange
from qa_agents.results.summary import Summary

LIGHTS = {"green": "🟢", "yellow": "🟡", "red": "🔴"}
SHOWN = 20
MAX_CHARS = 900_000
"""GitHub refuses job summaries of more than a megabyte."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$@])")


def job_summary(summary: Summary, *, told: Sequence[str] = ()) -> str:
    """Markdown, at most MAX_CHARS. `told` are further lines for the top: that it waits for a signature, say."""
    comparison, causes = summary.comparison, summary.causes
    against = f" against {code(summary.baseline.run_id)}" if summary.baseline else ""
    parts = [
        f"## {LIGHTS[summary.light]} Tests of {code(summary.run.run_id)}{against}",
        " ".join(plain(sentence) for sentence in summary.sentences),
        *(plain(line) for line in told),
        _gates(summary),
        *_causes("Newly broken", [cause for cause in causes if cause.kind in ("new", "failing")], comparison),
        *_causes("Suspected: a further run decides", [one for one in causes if one.kind == "suspected"], comparison),
        _listed("Did not run", comparison.of("missing")),
        _slower(comparison),
        _unproven(summary),
        _folded("Still broken", comparison.of("still")),
        _folded("Flaking: not counted as new", comparison.of("flaky")),
        _folded("Mended", comparison.of("fixed")),
        _folded("Skipped now", comparison.of("skipped")),
        _notes(summary),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    return (
        text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}\n\n… cut; the summary is longer than a page holds.\n"
    )


def code(text: str, limit: int = 200) -> str:
    """A code span that nothing in the text can end."""
    line = " ".join(text.split())
    line = line if len(line) <= limit else f"{line[: limit - 1]}…"
    ticks = "`" * (max((len(run) for run in re.findall(r"`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}" if line else "–"


def plain(text: str, limit: int = 600) -> str:
    """One line in which nothing is markup."""
    line = " ".join(text.split())
    line = line if len(line) <= limit else f"{line[: limit - 1]}…"
    line = _SPECIAL.sub(r"\\\1", line).replace("://", ":\\//")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _causes(title: str, causes: Sequence[Cause], comparison: Comparison) -> Iterable[str]:
    if not causes:
        return
    yield f"### {title}"
    why = {change.test_id: change.why for change in comparison.changes}
    for cause in causes[:SHOWN]:
        lines = [f"**{cause.id}** {code(cause.title)} ({cause.extent})", ""]
        lines += [f"- {code(name)}: {plain(why.get(name, ''))}" for name in cause.tests[:5]]
        if len(cause.tests) > 5:
            lines.append(f"- … {len(cause.tests) - 5} more")
        if cause.took_down:
            lines.append(f"- took {len(cause.took_down)} more down with it, {code(cause.took_down[0])} first")
        for one in cause.suspects[:3]:
            lines.append(
                f"- suspect {code(one.commit[:12])} {plain(one.subject, 120)} ({plain(one.author, 60)}): {plain(one.why)}"
            )
        for found in cause.related[:3]:
            lines.append(
                f"- {plain(found.relation)} {code(found.incident_id)} {plain(found.summary, 120)} ({plain(found.state)})"
            )
        if cause.requirements:
            lines.append(f"- unproven now: {', '.join(code(name) for name in cause.requirements[:10])}")
        yield "\n".join(lines)
    if len(causes) > SHOWN:
        yield f"… {len(causes) - SHOWN} more causes."


def _gates(summary: Summary) -> str:
    if not summary.gates:
        return ""
    marks = {"green": "🟢", "red": "🔴", "undecided": "🟡", "waived": "⚪"}
    rows = [
        f"| {marks[one.outcome]} {one.outcome} | {plain(one.gate.name)} | {plain(one.because)} |"
        for one in summary.gates
    ]
    return "\n".join(["### Quality gate", "", "| | gate | because |", "| --- | --- | --- |", *rows])


def _slower(comparison: Comparison) -> str:
    if not comparison.slower:
        return ""
    rows = [
        f"| {code(one.test_id)} | {one.before:.2f} s | {one.now:.2f} s | ×{one.ratio:.1f} | {one.p:.2g} |"
        for one in comparison.slower[:SHOWN]
    ]
    head = ["### Slower", "", "| test | before | now | | p, adjusted |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _unproven(summary: Summary) -> str:
    found = summary.proof.unproven
    if not found:
        return ""
    rows = [f"- {code(one.requirement_id)} {plain(one.text, 200)}: {plain(one.why)}" for one in found[:SHOWN]]
    return "\n".join(["### Requirements that are unproven now", "", *rows])


def _listed(title: str, changes: Sequence[TestChange]) -> str:
    if not changes:
        return ""
    rows = [f"- {code(one.test_id)}: {plain(one.why)}" for one in changes[:SHOWN]]
    more = [f"- … {len(changes) - SHOWN} more"] if len(changes) > SHOWN else []
    return "\n".join([f"### {title}", "", *rows, *more])


def _folded(title: str, changes: Sequence[TestChange]) -> str:
    if not changes:
        return ""
    rows = [f"- {code(one.test_id)}: {plain(one.why)}" for one in changes[: 5 * SHOWN]]
    more = [f"- … {len(changes) - 5 * SHOWN} more"] if len(changes) > 5 * SHOWN else []
    return "\n".join([f"<details><summary>{title} ({len(changes)})</summary>", "", *rows, *more, "", "</details>"])


def _notes(summary: Summary) -> str:
    return "\n".join(f"- {plain(note)}" for note in summary.notes[:SHOWN])


KINDS: tuple[Kind, ...] = ("new", "failing", "suspected")
"""What annotations, SARIF and JUnit report: what a push has to answer for."""
