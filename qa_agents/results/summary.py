"""What a run means, as data: everything that is told about it, with the source of every number. Rendered by `narrate`."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from qa_agents.plurals import counted
from qa_agents.results.cluster import Cause
from qa_agents.results.compare import Comparison, Kind
from qa_agents.results.gates import Judged, Outcome, overall
from qa_agents.results.requirements import Proof
from qa_agents.results.schema import Coverage, ReadFile, Run, RunInfo

SCHEMA_VERSION = 1
Light = Literal["green", "yellow", "red"]
"""red: something broke, or a promise is; yellow: something must be looked at; green: nothing new, and every promise is kept."""
SHOWN_TESTS = 5


class Figure(BaseModel):
    """One number that is told, and where it comes from."""

    model_config = ConfigDict(frozen=True)

    name: str
    """failed, new, fixed, …; names are stable and unique within a summary."""
    label: str
    value: float
    unit: str = ""
    source: str
    """What was counted, of which run: a sentence that lets somebody count again."""
    before: float | None = None
    """The same at the baseline, where it was counted."""


class Decide(BaseModel):
    """Something a person has to decide, and what it hangs on."""

    model_config = ConfigDict(frozen=True)

    question: str
    about: str
    """The cause (C1, …), gate, test or file in question."""


class Summary(BaseModel):
    """The meaning of a run. `light`, `figures` and `decide` follow from the rest."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA_VERSION
    run: RunInfo
    run_sha256: str
    """Digest of the run's content: a sign-off is about exactly this."""
    baseline: RunInfo | None = None
    light: Light
    comparison: Comparison
    causes: tuple[Cause, ...] = ()
    proof: Proof = Proof()
    gates: tuple[Judged, ...] = ()
    gate: Outcome | None = None
    """The worst gate; None where there is no gate file."""
    coverage: Coverage | None = None
    coverage_before: Coverage | None = None
    outputs: int = 0
    files: tuple[ReadFile, ...] = ()
    figures: tuple[Figure, ...] = ()
    sentences: tuple[str, ...] = ()
    """How the run went, what changed, what is left to decide, as `narrate` tells it; empty before it was told."""
    decide: tuple[Decide, ...] = ()
    notes: tuple[str, ...] = Field(default=())
    """What could not be looked at, one sentence each."""

    def figure(self, name: str) -> Figure | None:
        """The figure of this name."""
        return next((one for one in self.figures if one.name == name), None)

    @property
    def holds_back(self) -> bool:
        """Whether a person must sign before it is published: a gate is red or undecided, and nobody waived it."""
        return self.gate in ("red", "undecided")

    @property
    def damaged(self) -> tuple[ReadFile, ...]:
        """The files of which a part is missing: what they would have said is unknown, and green would be a guess."""
        return tuple(file for file in self.files if not file.is_whole)

    @property
    def is_partial(self) -> bool:
        """Whether the run may have been more than what was read: a file is damaged, or there is nothing in it at all."""
        nothing = not any(self.comparison.counts.values()) and not self.outputs and self.coverage is None
        return nothing or bool(self.damaged)

    @property
    def has_findings(self) -> bool:
        """Whether something is new: what `qa-agents ci` fails for."""
        return bool(self.comparison.of("new", "failing")) or self.gate == "red"


def summarise(
    run: Run,
    digest: str,
    comparison: Comparison,
    causes: Sequence[Cause],
    *,
    proof: Proof | None = None,
    gates: Sequence[Judged] = (),
    coverage_before: Coverage | None = None,
    notes: Sequence[str] = (),
) -> Summary:
    """Put together what was found about a run. Pure."""
    proof = proof or Proof()
    gate = overall(gates) if gates else None
    light = light_of(run, comparison, gate)
    figures = figures_of(run, comparison, causes, proof, coverage_before)
    refused = [f"{file.name} was not read: {file.refused}" for file in run.files if file.refused and not file.is_whole]
    noted = [f"{file.name}: {note}" for file in run.files for note in file.notes]
    decide = decisions(comparison, causes, gates, [file for file in run.files if not file.is_whole])
    return Summary(
        run=run.info,
        run_sha256=digest,
        baseline=comparison.baseline,
        light=light,
        comparison=comparison,
        causes=tuple(causes),
        proof=proof,
        gates=tuple(gates),
        gate=gate,
        coverage=run.coverage,
        coverage_before=coverage_before,
        outputs=len(run.outputs),
        files=run.files,
        figures=tuple(figures),
        decide=tuple(decide),
        notes=(*refused, *noted, *notes),
    )


def light_of(run: Run, comparison: Comparison, gate: Outcome | None) -> Light:
    """The traffic light: a pure rule. A run without results is never green."""
    if gate == "red" or comparison.of("new", "failing"):
        return "red"
    nothing = not run.results and not run.outputs
    doubts = comparison.of("suspected", "still", "missing", "skipped") or comparison.slower
    if nothing or doubts or gate == "undecided" or any(not file.is_whole for file in run.files):
        return "yellow"
    return "green"


def figures_of(
    run: Run, comparison: Comparison, causes: Sequence[Cause], proof: Proof, coverage_before: Coverage | None
) -> list[Figure]:
    """Every number that is told, with its source."""
    where, before = f"run {run.info.run_id}", comparison.baseline_counts
    base = f"run {comparison.baseline.run_id}" if comparison.baseline else "no baseline"
    words = {"passed": "passed", "failed": "failed", "error": "broke", "skipped": "were skipped"}
    found = [
        Figure(
            name="tests",
            label="tests",
            value=sum(comparison.counts.values()),
            source=f"distinct tests of {where}",
            before=sum(before.values()) if before else None,
        )
    ]
    for outcome, told in words.items():
        found.append(
            Figure(
                name=outcome,
                label=f"tests {told}",
                value=comparison.counts[outcome],  # type: ignore[index]
                source=f"tests of {where} with the outcome {outcome}",
                before=before[outcome] if before else None,  # type: ignore[index]
            )
        )
    kinds: dict[Kind, str] = {
        "new": "newly broken tests",
        "failing": "failing tests",
        "suspected": "suspected tests",
        "still": "tests broken before already",
        "flaky": "flaking tests",
        "fixed": "mended tests",
        "missing": "tests that did not run",
        "skipped": "tests that are skipped now",
        "added": "added tests",
    }
    known = f"judged by {comparison.runs_known} runs up to {where}, against {base}"
    found += [
        Figure(
            name="newly_skipped" if kind == "skipped" else kind,
            label=told,
            value=len(comparison.of(kind)),
            source=f"{told} of {where}, {known}",
        )
        for kind, told in kinds.items()
    ]
    found.append(
        Figure(name="causes", label="causes", value=len(causes), source=f"failures of {where} by what they say")
    )
    slow = f"Mann-Whitney with Holm over the tests of {where} and the runs before it"
    found.append(Figure(name="slower", label="slower tests", value=len(comparison.slower), source=slow))
    if run.coverage and run.coverage.line_rate is not None:
        earlier = coverage_before.line_rate if coverage_before else None
        found.append(
            Figure(
                name="line_coverage",
                label="lines covered",
                value=100 * run.coverage.line_rate,
                unit="%",
                source=f"{run.coverage.lines_covered} of {run.coverage.lines_total} lines in {where}",
                before=None if earlier is None else 100 * earlier,
            )
        )
    if proof.planned:
        source = f"requirements of the stored plans that tests of {where} name"
        found.append(Figure(name="proven", label="requirements proven", value=proof.proven, source=source))
        found.append(Figure(name="unproven", label="requirements unproven", value=len(proof.unproven), source=source))
    return found


def decisions(
    comparison: Comparison, causes: Sequence[Cause], gates: Sequence[Judged], damaged: Sequence[ReadFile] = ()
) -> list[Decide]:
    """What a person has to decide, the most pressing first."""
    found = []
    for judged in gates:
        if judged.outcome in ("red", "undecided"):
            question = f"Ship although {judged.gate.name} is {judged.outcome}? {judged.because}"
            found.append(Decide(question=question, about=judged.gate.name))
    for cause in causes:
        if cause.kind in ("new", "failing"):
            known = next((one for one in cause.related if one.relation != "same-area"), None)
            told = f" It looks like {known.incident_id} ({known.relation})." if known else ""
            suspect = f" Ask about {cause.suspects[0].commit[:10]} first." if cause.suspects else ""
            who = f"Who takes {cause.id} ({cause.extent}: {cause.title[:100]})?"
            found.append(Decide(question=f"{who}{told}{suspect}", about=cause.id))
        elif cause.kind == "suspected":
            tests = "suspected test" if len(cause.tests) == 1 else f"{len(cause.tests)} suspected tests"
            found.append(Decide(question=f"Run the {tests} of {cause.id} once more, to be sure?", about=cause.id))
    if damaged:
        first = damaged[0]
        why = first.refused or " ".join(first.notes) or "It is damaged."
        question = f"Run it again, as {counted(len(damaged), 'report')} could not be read whole? {first.name}: {why}"
        found.append(Decide(question=question, about=first.name))
    gone = comparison.of("missing")
    if gone:
        question = f"Was it meant that {counted(len(gone), 'test')} did not run, {gone[0].test_id[:120]} first?"
        found.append(Decide(question=question, about=gone[0].test_id))
    return found


class SummaryState(TypedDict, total=False):
    """What the summary graph carries from node to node: small JSON, everything large by its hash."""

    run_id: str
    source: str
    subject_id: str
    input_sha256: str
    options: dict[str, Any]
    """`run` and its `digest`; `baseline`, `branches`, `repository`, `gates_sha256`, each or null; `gates_name`."""
    comparison_sha256: str
    causes_sha256: str
    summary_sha256: str
    gate_decision: str
    shown: dict[str, Any]
    decision: dict[str, Any] | None
    effects: dict[str, Any]
