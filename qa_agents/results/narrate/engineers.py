"""For those who mend: causes with their tests, suspects, incidents and commands; what flakes, what is slower, what is gone."""

from collections.abc import Mapping

from qa_agents.plurals import counted
from qa_agents.results.cluster import Cause
from qa_agents.results.compare import TestChange
from qa_agents.results.narrate.commands import command_for
from qa_agents.results.narrate.story import (
    Block,
    Bullets,
    Code,
    Heading,
    Line,
    Paragraph,
    Section,
    Span,
    Table,
    Verbatim,
    cause_anchor,
)
from qa_agents.results.schema import Run, TestResult
from qa_agents.results.summary import Summary

SHOWN_CAUSES, SHOWN_TESTS, SHOWN_ROWS, SHOWN_COMMANDS = 25, 5, 30, 3
_KINDS = {
    "new": "newly broken",
    "failing": "failing",
    "suspected": "suspected",
    "still": "broken before",
    "flaky": "flaking",
}
_RELATIONS = {
    "duplicate-of-open": "known bug",
    "regression-of-fixed": "was fixed, and is back",
    "already-fixed": "fixed already",
    "same-area": "same area",
}


def for_engineers(summary: Summary, run: Run | None = None) -> Section:
    """Every cause with what is needed to begin; `run` adds traces' files and the commands to run a test again."""
    results = {result.test_id: result for result in run.results if result.is_red} if run else {}
    flavours = {file.flavour for file in summary.files if file.tests}
    flavour = next(iter(flavours)) if len(flavours) == 1 else ""
    why = {change.test_id: change for change in summary.comparison.changes}
    blocks: list[Block] = []
    for cause in summary.causes[:SHOWN_CAUSES]:
        blocks += _cause(cause, why, results, flavour)
    if len(summary.causes) > SHOWN_CAUSES:
        blocks.append(Paragraph((f"{len(summary.causes) - SHOWN_CAUSES:,} more causes are in the JSON.",)))
    if not summary.causes:
        blocks.append(Paragraph(("Nothing failed.",)))
    blocks += _slower(summary)
    comparison = summary.comparison
    for title, changes in (
        ("Did not run, though they always do", comparison.of("missing")),
        ("Skipped now", comparison.of("skipped")),
        ("Flaking: not counted as broken", comparison.of("flaky")),
        ("Mended", comparison.of("fixed")),
    ):
        blocks += _changes(title, changes)
    return Section("For engineers", "engineers", tuple(blocks))


def _cause(cause: Cause, why: Mapping[str, TestChange], results: Mapping[str, TestResult], flavour: str) -> list[Block]:
    size = f"{cause.extent}, {_KINDS.get(cause.kind, cause.kind)}"
    blocks: list[Block] = [Heading((f"{cause.id}: {cause.title} ({size})",), cause_anchor(cause.id))]
    facts: list[Line] = []
    if cause.first_seen:
        facts.append(
            (
                "First seen in ",
                Code(cause.first_seen),
                f"; seen in {counted(cause.seen_runs, 'run')}.",
            )
        )
    for suspect in cause.suspects:
        files: list[Span] = [span for name in suspect.files[:3] for span in (" ", Code(name))]
        facts.append(
            (
                "Suspect ",
                Code(suspect.commit[:12]),
                " “",
                Code(suspect.subject),
                "” by ",
                Code(suspect.author),
                f": {suspect.why}",
                *files,
            )
        )
    for found in cause.related:
        state = (" (", Code(found.state), ")") if found.state else ()
        facts.append(
            (f"{_RELATIONS[found.relation].capitalize()}: ", Code(found.incident_id), " ", Code(found.summary), *state)
        )
    if cause.requirements:
        names: list[Span] = [span for name in cause.requirements[:10] for span in (Code(name), " ")]
        facts.append(("Unproven because of it: ", *names[:-1]))
    if facts:
        blocks.append(Bullets(tuple(facts)))
    tests = tuple((Code(name), f": {why[name].why}" if name in why else "") for name in cause.tests[:SHOWN_TESTS])
    blocks.append(Bullets(tests, max(0, len(cause.tests) - SHOWN_TESTS)))
    if cause.took_down:
        down: Line = (f"It took {len(cause.took_down):,} more down with it: ", Code(cause.took_down[0]))
        blocks.append(Paragraph((*down, " first.")))
    known = (results.get(name) for name in cause.tests[:SHOWN_COMMANDS])
    commands = [line for result in known if result is not None and (line := command_for(result, flavour))]
    if commands:
        blocks.append(Verbatim("To run it again", "\n".join(commands)))
    if cause.details.strip():
        blocks.append(Verbatim("Trace", cause.details))
    return blocks


def _slower(summary: Summary) -> list[Block]:
    found = summary.comparison.slower
    if not found:
        return []
    rows: tuple[tuple[Line, ...], ...] = tuple(
        (
            (Code(one.test_id),),
            (f"{one.before:.2f} s",),
            (f"{one.now:.2f} s",),
            (f"×{one.ratio:.1f}",),
            (f"{one.p:.2g}",),
        )
        for one in found[:SHOWN_ROWS]
    )
    first = found[0]
    note = (
        f"Medians of the last {first.n_now} runs against up to {first.n_before} earlier ones; p after Mann and Whitney, "
        f"adjusted by Holm over {counted(first.compared, 'test')}."
    )
    return [Table("Slower", ("test", "before", "now", "times", "p"), rows), Paragraph((note,))]


def _changes(title: str, changes: list[TestChange]) -> list[Block]:
    if not changes:
        return []
    items = tuple((Code(one.test_id), f": {one.why}") for one in changes[:SHOWN_ROWS])
    return [Heading((f"{title} ({len(changes):,})",)), Bullets(items, max(0, len(changes) - SHOWN_ROWS))]
