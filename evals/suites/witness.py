"""A language model as second witness in triage, with and without it: `python -m evals witness --base-url URL --model NAME`.

The example product's duplicates are lived through again: each is judged with the memory from before it was filed. With the
model, candidates that it holds to be the same bug go first and those that it holds to be another go last. Whatever else it
says is counted after the checks; whether that is good prose only a reader can tell.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from evals.commands.shared import positive, write_json
from evals.report import table
from evals.stats import Interval, paired_bootstrap, wilson
from evals.vectors import to_stderr
from qa_agents.incidents.schema import Incident, Report
from qa_agents.settings import ModelSettings, Settings, resource_dir

if TYPE_CHECKING:
    from qa_agents.triage.schema import Testimony
    from qa_agents.wiring import Workspace

JUDGED = 5
STRIDE = 2
"""Every second duplicate is measured."""
USES = ("triage.relations", "triage.hypothesis")
_PLACE = {"yes": 0, "unclear": 1, "no": 2}


class Case(BaseModel):
    """One report with what was found and what the model made of it."""

    report: str
    candidates: list[str]
    truth: list[str]
    """Those of the candidates that tell of the same bug."""
    said: dict[str, str]
    """Candidate to the model's opinion, where one held the checks."""
    asked: int
    absent: list[str]
    doubts: int
    hypothesis: bool
    """Whether a hypothesis of the model held the checks."""

    @property
    def first_without(self) -> bool:
        """Whether the first candidate is the same bug."""
        return self.candidates[:1] != [] and self.candidates[0] in self.truth

    @property
    def first_with(self) -> bool:
        """Whether the first candidate is, in the order with the model's opinions."""
        order = sorted(self.candidates, key=lambda name: _PLACE[self.said.get(name, "unclear")])
        return order[:1] != [] and order[0] in self.truth


class Found(BaseModel):
    """Everything a run found."""

    model: str
    mode: str
    uses: list[str]
    """What was asked."""
    cases: list[Case]

    @property
    def change(self) -> Interval:
        """Share of reports with the right first candidate: with minus without, paired."""
        with_it, without = (
            [float(getattr(case, name)) for case in self.cases] for name in ("first_with", "first_without")
        )
        return paired_bootstrap(with_it, without)


def measure(workspace: "Workspace", reports: Sequence[Incident], first_report: dict[str, str]) -> list[Case]:
    """Judge each report with the memory from before it. `first_report` leads from an incident to the first about its bug."""
    from qa_agents.triage.facts.extract import extract_facts
    from qa_agents.triage.witness import Matter, ModelWitness

    witness, cases = ModelWitness(workspace.models, workspace.prompts), []
    for done, incident in enumerate(reports, start=1):
        report = Report.model_validate(incident.model_dump(include=set(Report.model_fields)))
        assert report.created is not None
        retrieval = workspace.memory.search(report, k=JUDGED, as_of=report.created)
        near = [one for _, one in workspace.memory.neighbours(retrieval)][:JUDGED]
        said = witness.testify(
            Matter(
                subject=report.id,
                report=report,
                facts=extract_facts(report),
                near=near,
                relations=[],
                hypothesis=None,
                missing=list,
            )
        )
        truth = [one.id for one in near if first_report[one.id] == first_report[incident.id]]
        cases.append(_case(incident.id, near, truth, said))
        to_stderr(f"{done} of {len(reports)} reports")
    return cases


def _case(report: str, near: Sequence[Incident], truth: list[str], said: "Testimony | None") -> Case:
    return Case(
        report=report,
        candidates=[one.id for one in near],
        truth=truth,
        said={one.incident_id: one.same_fix for one in said.opinions} if said else {},
        asked=len(said.prompts) if said else 0,
        absent=said.absent if said else [],
        doubts=len(said.doubts) if said else 0,
        hypothesis=bool(said and said.hypothesis),
    )


def told(found: Found) -> str:
    """The tables."""
    cases = found.cases
    n, pairs = len(cases), [(case, name) for case in cases for name in case.candidates]
    yes = [(case, name) for case, name in pairs if case.said.get(name) == "yes"]
    right_yes = sum(name in case.truth for case, name in yes)
    same = [(case, name) for case, name in pairs if name in case.truth]
    with_opinion = sum(len(case.said) for case in cases)
    rows = [
        ("right first candidate, without", _rate(sum(case.first_without for case in cases), n)),
        ("right first candidate, with", _rate(sum(case.first_with for case in cases), n)),
        ("with minus without, paired", _signed(found.change)),
        ("candidates with an opinion that holds", _rate(with_opinion, len(pairs))),
        ("“same fix” that is right", _rate(right_yes, len(yes))),
        (
            "same bugs that it calls the same",
            _rate(sum(case.said.get(name) == "yes" for case, name in same), len(same)),
        ),
        ("candidates that are the same bug", _rate(len(same), len(pairs))),
        (
            "reports with a hypothesis that holds",
            _rate(sum(case.hypothesis for case in cases), n if "triage.hypothesis" in found.uses else 0),
        ),
        ("questions that went unanswered", _rate(sum(len(c.absent) for c in cases), sum(c.asked for c in cases))),
        ("reports it would send to a person", _rate(sum(case.doubts > 0 for case in cases), n)),
    ]
    return f"Model {found.model}, asked by {found.mode}, {n} reports.\n\n" + table(("measure", "95 % interval"), rows)


def _rate(successes: int, n: int) -> str:
    return str(wilson(successes, n)) + f", {successes} of {n}" if n else "none"


def _signed(interval: Interval) -> str:
    return f"{interval.value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def main() -> int:
    """Measure, print, and write every case where `--json` says so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", required=True, help="an OpenAI-compatible endpoint")
    parser.add_argument("--model", required=True, help="its name there")
    parser.add_argument("-n", type=positive, default=30, help="reports to measure")
    parser.add_argument("--use", choices=USES, action="append", help="only this use; may be repeated")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one answer")
    parser.add_argument("--home", type=Path, metavar="DIR", help="keep answers here, to go on after an interruption")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every case as JSON")
    options = parser.parse_args()
    model = ModelSettings(
        base_url=options.base_url,
        fast=options.model,
        timeout=options.timeout,
        tries=1,
        tokens_per_day=10**9,
        uses=dict.fromkeys(options.use or USES, True),
    )
    lines = (resource_dir("examples") / "incidents.jsonl").read_text(encoding="utf-8").splitlines()
    past = [Incident.model_validate_json(line) for line in lines]
    known = {incident.id: incident for incident in past}
    duplicates = [incident for incident in past if incident.duplicate_of]
    chosen = duplicates[::STRIDE][: options.n]
    with tempfile.TemporaryDirectory() as made:
        return _run(options, Settings(home=options.home or Path(made), model=model), past, chosen, known)


def _run(
    options: argparse.Namespace,
    settings: Settings,
    past: Sequence[Incident],
    chosen: Sequence[Incident],
    known: dict[str, Incident],
) -> int:
    from qa_agents.wiring import Workspace

    with Workspace(settings) as workspace:
        workspace.store.upsert(past, origin="import")
        mode, why = workspace.models.probe()
        if mode is None:
            to_stderr(f"Error: {why}")
            return 3
        cases = measure(workspace, chosen, {name: _first(name, known) for name in known})
    found = Found(model=options.model, mode=mode, uses=options.use or list(USES), cases=cases)
    print(told(found), flush=True)
    write_json(options.json, witness=found)
    return 0


def _first(name: str, known: dict[str, Incident]) -> str:
    """The first report of a bug, along the duplicate links."""
    seen = [name]
    while (links := known[seen[-1]].duplicate_of) and links[0] in known and links[0] not in seen:
        seen.append(links[0])
    return seen[-1]


if __name__ == "__main__":
    sys.exit(main())
