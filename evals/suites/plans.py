"""Test plans: grounded, worth their number of cases, true to a changed text; and what tests exported from them notice."""

import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from pydantic import BaseModel

from evals.conduit import FAULTS
from evals.plans import changes, cost, follow
from evals.plans.corpora import LABELS, NAMES, SPECS, Corpus, draft, load_corpus, plans_dir, rows
from evals.plans.coverage import Coverage
from evals.plans.coverage import measure as measure_coverage
from evals.plans.grounding import Grounding, Judged, ground, judged
from evals.plans.matcher import Licence, Pair, licence
from evals.plans.peer import Peer, executable, run_peer
from evals.stats import Interval, wilson
from evals.suites.plan_api import ApiTests, run_plan_api
from evals.vectors import Tell
from qa_agents.incidents.minilm import MiniLM, packaged_folder
from qa_agents.plans.export import export_plan
from qa_agents.plans.schema import TestPlan

FAULTS_NOTICED, FAULTS_AT_LEAST = 0.8, 40
QUICK_FAULTS = 12


class Planted(BaseModel):
    """Contradictions that were written into an example on purpose."""

    found: Interval
    missed: list[str]
    false_alarms: int
    """Questions about a contradiction that name no planted pair."""


class Executed(BaseModel):
    """Tests exported from the RealWorld plan, run; and Schemathesis on the same server."""

    ours: ApiTests
    peer: Peer | None
    why_no_peer: str


class Plans(BaseModel):
    """The whole measurement."""

    quick: bool
    licence: Licence
    coverage: list[Coverage]
    grounding: list[Grounding]
    judged: Judged
    planted: Planted
    planted_elsewhere: Planted | None = None
    """The same for a text that is there for this measurement only."""
    changed: changes.Changed | None
    followed: list[follow.Followed]
    large: cost.Cost
    small: cost.Cost
    stable: bool
    """Two drafts of the large specification, in processes with other hash seeds, are the same to the byte."""
    executed: Executed
    seconds: float


class Promise(BaseModel):
    """One line of the table: what was promised, what was measured."""

    name: str
    limit: str
    measured: str
    n: int
    kept: bool | None
    """None where nothing was measured."""


def run_plans(*, quick: bool = False, schemathesis: str | None = None, tell: Tell = lambda _: None) -> Plans | None:
    """Everything; None where the public data are not on this machine. `quick` samples the faults and leaves the peer out."""
    began = time.perf_counter()
    corpora = [one for one in map(load_corpus, NAMES) if one is not None]
    if len(corpora) < len(NAMES):
        return None
    embed = MiniLM(packaged_folder(), threads=1).embed
    judge = licence([Pair.model_validate(row) for row in _pairs()], embed)
    tell("drafting the five corpora")
    drafted = {one.name: draft(one.files) for one in corpora}
    covered = [
        measure_coverage(one, drafted[one.name], drafted[corpora[place - 1].name].plan, judge.threshold, embed)
        for place, one in enumerate(corpora)
    ]
    examples = {path.stem: draft([path]) for path in sorted(SPECS.glob("*"))}
    grounded = [ground(name, one) for name, one in (*drafted.items(), *examples.items())]
    plans = {name: one.plan for name, one in (*drafted.items(), *examples.items())}
    tell("the specification changes")
    changed = changes.measure()
    followed = [follow.follow(name, path.read_text("utf-8")) for name, path in _texts(corpora)]
    tell("cost")
    large, small, stable = cost.measure(_pages(corpora), SPECS / "good.md")
    return Plans(
        quick=quick,
        licence=judge,
        coverage=covered,
        grounding=grounded,
        judged=judged(plans),
        planted=_planted(plans["contradictory"], "contradictions.jsonl"),
        planted_elsewhere=_planted(draft([LABELS / "planted.md"]).plan, "planted.jsonl"),
        changed=changed,
        followed=followed,
        large=large,
        small=small,
        stable=stable,
        executed=_execute(plans["realworld-api"], quick, schemathesis, tell),
        seconds=time.perf_counter() - began,
    )


def promises(found: Plans) -> list[Promise]:
    """Every promise of the plan with what became of it, in the order of the table."""
    quotes, numbers, literals = (
        _pooled([getattr(one, name) for one in found.grounding]) for name in ("quotes", "numbers", "literals")
    )
    twice = sum(one.duplicates for one in found.grounding)
    cases = sum(one.cases for one in found.grounding)
    old = _pooled([one.using_old for one in found.followed])
    api = found.executed.ours
    kept = [
        _rate("quotes verbatim", quotes, 1.0),
        _rate("numbers in expectations traceable", numbers, 1.0),
        _rate("literals of a quote kept letter by letter", literals, 1.0),
        Promise(name="cases that say the same", limit="0", measured=str(twice), n=cases, kept=twice == 0),
        Promise(
            name="contradictions among cases read by hand",
            limit="0",
            measured=f"{found.judged.verdicts.get('contradicts', 0)}, {len(found.judged.still_wrong)} still there",
            n=found.judged.read,
            kept=found.judged.verdicts.get("contradicts", 0) == 0 if found.judged.read else None,
        ),
        Promise(
            name="cases with a value of another version of the text",
            limit="0",
            measured=str(old),
            n=old.n,
            kept=old.value == 0,
        ),
    ]
    kept += _of_change(found.changed)
    kept += [
        Promise(
            name="exported tests that fail on a conforming server",
            limit="0",
            measured=str(len(api.conforming_failures)),
            n=api.tests,
            kept=not api.conforming_failures and api.tests > 0,
        ),
        Promise(
            name="seeded faults noticed",
            limit=f"≥ {FAULTS_NOTICED:.2f} of ≥ {FAULTS_AT_LEAST}",
            measured=str(api.share),
            n=api.share.n,
            kept=api.share.value >= FAULTS_NOTICED if api.share.n >= FAULTS_AT_LEAST else None,
        ),
        _below(f"CPU seconds, {found.large.chars:,} characters", found.large.cpu_seconds, cost.SECONDS_LARGE, "s"),
        _below(f"most memory, {found.large.chars:,} characters", found.large.peak_mb, cost.MEGABYTES, "MB"),
        _below(f"CPU seconds, {found.small.chars:,} characters", found.small.cpu_seconds, cost.SECONDS_SMALL, "s"),
        Promise(
            name="two drafts the same to the byte",
            limit="yes",
            measured="yes" if found.stable else "no",
            n=2,
            kept=found.stable,
        ),
    ]
    return kept


def _of_change(found: changes.Changed | None) -> list[Promise]:
    if found is None:
        return []
    most, least = changes.REDRAFTED_AT_MOST, changes.RECALLED_AT_LEAST
    return [
        Promise(
            name="cases redrafted, TOML 1.0 to 1.1",
            limit=f"≤ {most:.2f}",
            measured=str(found.redrafted),
            n=found.redrafted.n,
            kept=found.redrafted.value <= most,
        ),
        _rate("changed behaviours shown by a case", found.recall_cases, least),
        _rate("cases of unchanged requirements identical", found.unchanged_identical, 1.0),
        _rate("cases that people edited kept", found.edits_kept, 1.0),
        Promise(
            name="the same text again changes nothing",
            limit="yes",
            measured="yes" if found.again_identical else "no",
            n=found.cases_before,
            kept=found.again_identical,
        ),
    ]


def _rate(name: str, found: Interval, least: float) -> Promise:
    kept = found.value >= least if found.n else None
    return Promise(name=name, limit=f"≥ {least:.2f}" if least < 1 else "1", measured=str(found), n=found.n, kept=kept)


def _below(name: str, value: float, most: float, unit: str) -> Promise:
    return Promise(name=name, limit=f"≤ {most:.0f} {unit}", measured=f"{value:.1f} {unit}", n=1, kept=value <= most)


def _pooled(found: Sequence[Interval]) -> Interval:
    hits = sum(round(one.value * one.n) for one in found)
    return wilson(hits, sum(one.n for one in found))


def _pairs() -> list[dict[str, str]]:
    path = plans_dir() / "judge_calibration.jsonl"
    return rows(path) if path.exists() else []


def _texts(corpora: Sequence[Corpus]) -> list[tuple[str, Path]]:
    """Texts in prose: in an API description, numbers are statuses and names are structure."""
    prose = [(one.name, one.files[0]) for one in corpora if one.name in ("todomvc", "mustache", "toml")]
    return [*prose, *((path.stem, path) for path in sorted(SPECS.glob("*.md")))]


def _pages(corpora: Sequence[Corpus]) -> list[Path]:
    pages = [path for one in corpora for path in one.files if path.suffix == ".md"]
    return [*pages, *islice(plans_dir().glob("toml/spec-v1.1.0.md"), 1)]


def _planted(plan: TestPlan, labels: str) -> Planted:
    said = rows(LABELS / labels)
    found, others = follow.planted(plan, [(row["first"], row["second"]) for row in said])
    missed = [f"{r['first']}, {r['second']}: {r['what']}" for r in said if (r["first"], r["second"]) not in found]
    return Planted(found=wilson(len(found), len(said)), missed=missed, false_alarms=others)


def _execute(plan: TestPlan, quick: bool, schemathesis: str | None, tell: Tell) -> Executed:
    faults = FAULTS[:: max(1, len(FAULTS) // QUICK_FAULTS)] if quick else FAULTS
    with tempfile.TemporaryDirectory() as folder:
        export_plan(plan, "pytest", Path(folder))
        ours = run_plan_api(Path(folder), faults=faults, tell=tell)
    command = schemathesis or executable()
    why = (
        "left out of the quick run"
        if quick
        else ""
        if command
        else "Schemathesis is not installed: pip install schemathesis"
    )
    description = plans_dir() / "realworld-api" / "spec" / "openapi.yml"
    theirs = run_peer(command, description, faults=faults, tell=tell) if command and not quick else None
    return Executed(ours=ours, peer=theirs, why_no_peer=why)
