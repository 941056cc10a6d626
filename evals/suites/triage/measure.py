"""From the verdicts and the peers' answers to the result: every measure that the data allow, and why not the others."""

from collections.abc import Mapping, Sequence

from evals.audit import Judged
from evals.scorers.calibration import adaptive_bins, aurc, coverage_at, expected_calibration_error, risk_coverage
from evals.scorers.labels import confusion, top_k_hits
from evals.scorers.ranking import hits_at, rank_of, reciprocal_ranks
from evals.stats import wilson
from evals.suites.triage.compare import Floats, average_precisions, macro_f1s, means, rates, resampled
from evals.suites.triage.result import SYSTEM, Curve, Line, Measured, Pair, Point
from evals.suites.triage.seen import CLAIMS, Guess, Verdict
from qa_agents.incidents.schema import Incident

CUTS = (1, 5, 10, 20)
ACCURACY = 0.9
MIN_CASES = 5
"""Fewer cases than this are no measurement."""
SHOWN_POINTS = 200

Found = Mapping[str, Mapping[int, Sequence[str]]]
"""Contender to place of a duplicate to the ids it named, the nearest first."""


def measure_duplicates(
    into: Measured,
    found: Found,
    wanted: Mapping[int, set[str]],
    alerts: Mapping[str, Sequence[float]],
    incidents: Sequence[Incident],
    first: int,
) -> None:
    """Recall@k and MRR over the reports that have an earlier duplicate; average precision of the alarm over all."""
    if len(wanted) < MIN_CASES:
        into.notes.append(
            f"Duplicates were not measured: {len(wanted)} of the reports have an earlier duplicate in these data."
        )
        return
    ranks = {who: [rank_of(answers.get(n, ()), wanted[n]) for n in wanted] for who, answers in found.items()}
    for cut in CUTS:
        into.lines += rates("duplicates", f"recall@{cut}", {who: hits_at(r, cut) for who, r in ranks.items()})
    into.lines += means("duplicates", "MRR@20", {who: reciprocal_ranks(r) for who, r in ranks.items()})
    truth = [first + n in wanted for n in range(len(incidents) - first)]
    into.lines += average_precisions("duplicates", "alarm, average precision", alerts, truth)
    into.recall = [
        Curve(name=who, points=[Point(x=k, y=sum(hits_at(r, k)) / len(r)) for k in range(1, 21)])
        for who, r in ranks.items()
    ]
    for cut in (1, 10):
        into.cases[f"duplicates.recall@{cut}"] = {
            incidents[n].id: float(hit) for n, hit in zip(wanted, hits_at(ranks[SYSTEM], cut), strict=True)
        }


def measure_claims(
    into: Measured, verdicts: Sequence[Verdict], wanted: Mapping[int, set[str]], clusters: Mapping[int, set[str]]
) -> None:
    """Relations that say "the same bug", held against the links there are: a lower bound, because links are missing."""
    said = [(v, [c for c in v.claims if c.kind in CLAIMS]) for v in verdicts]
    right = [(v, any(c.incident_id in clusters.get(v.position, ()) for c in claims)) for v, claims in said if claims]
    into.lines.append(_line("relations", "reports with a claim of the same bug", len(right), len(verdicts)))
    if right:
        into.lines.append(_line("relations", "claims that a link confirms", sum(hit for _, hit in right), len(right)))
    if wanted:
        hits = sum(v.position in wanted for v, hit in right if hit)
        into.lines.append(_line("relations", "duplicates that were claimed", hits, len(wanted)))
    vetoed = sum(any(c.vetoed for c in v.claims) for v in verdicts)
    into.lines.append(_line("relations", "reports where a difference vetoed", vetoed, len(verdicts)))


def measure_audited(into: Measured, verdicts: Sequence[Verdict], pairs: Sequence[Judged]) -> None:
    """Of the pairs that a reader judged, those that this run accepts: how many are the same bug."""
    claimed = {v.report_id: {c.incident_id for c in v.claims if c.kind in CLAIMS} for v in verdicts}
    accepted = [p for p in pairs if p.incident in claimed.get(p.report, ())]
    if not any(p.report in claimed for p in pairs):
        return
    into.lines.append(_line("relations", "audited pairs without a link that are accepted", len(accepted), len(pairs)))
    if accepted:
        right = sum(p.judgement == "same-bug" and p.only_differs_by is None for p in accepted)
        only = sum(p.only_differs_by == "version" for p in accepted)
        into.lines.append(_line("relations", "accepted audited pairs: the same bug", right, len(accepted)))
        into.lines.append(
            _line("relations", "accepted audited pairs: version or branch only", only, len(accepted), lower=True)
        )


def unlinked_pairs(verdicts: Sequence[Verdict], clusters: Mapping[int, set[str]], count: int = 200) -> list[Pair]:
    """The `count` highest-scored pairs of a report and its nearest incident that are in no cluster together."""
    pairs = []
    for v in verdicts:
        if not v.found or v.found[0] in clusters.get(v.position, ()):
            continue
        claims = [claim for claim in v.claims if claim.incident_id == v.found[0]]
        pairs.append(
            Pair(
                report=v.report_id,
                incident=v.found[0],
                score=v.nearest_score,
                accepted=any(claim.kind in CLAIMS for claim in claims),
                vetoed=any(claim.vetoed for claim in claims),
            )
        )
    return sorted(pairs, key=lambda pair: -pair.score)[:count]


def measure_field(
    into: Measured,
    field: str,
    guesses: Mapping[str, Sequence[Guess | None]],
    truths: Sequence[Sequence[str]],
    ids: Sequence[str],
) -> None:
    """Top-1, top-3, macro-F1, calibration and coverage for one field, over the reports that have a value in the end."""
    have = [n for n, truth in enumerate(truths) if truth]
    if len(have) < MIN_CASES:
        into.notes.append(f"{field} was not measured: {len(have)} of the reports have one in the end.")
        return
    known = [truths[n] for n in have]
    ranked = {who: [_ranked(said[n]) for n in have] for who, said in guesses.items()}
    for k in (1, 3):
        hits = {who: top_k_hits(names, known, k) for who, names in ranked.items()}
        into.lines += rates(field, f"top-{k}", hits)
        if k == 1:
            ours = dict(zip((ids[n] for n in have), map(float, hits[SYSTEM]), strict=True))
            into.cases[f"{field}.top-1"] = ours
    true = [truth[0] for truth in known]
    heads = {who: [_head(names, truth) for names, truth in zip(r, known, strict=True)] for who, r in ranked.items()}
    into.lines += macro_f1s(field, "macro-F1", heads, true)
    answered = {who: [said[n] is not None and said[n].answered for n in have] for who, said in guesses.items()}  # type: ignore[union-attr]
    if not all(answered[SYSTEM]):
        only = [name if yes else None for name, yes in zip(heads[SYSTEM], answered[SYSTEM], strict=True)]
        into.lines += macro_f1s(field, "macro-F1, undetermined is wrong", {SYSTEM: only}, true)
    into.lines.append(_line(field, "answered", sum(answered[SYSTEM]), len(have)))
    for who, said in guesses.items():
        _calibration(into, field, who, [said[n] for n in have], known)
    if field == "severity":
        given = [name if yes else None for name, yes in zip(heads[SYSTEM], answered[SYSTEM], strict=True)]
        into.confusion = confusion(given, true)


def measure_rest(into: Measured, verdicts: Sequence[Verdict], critical: Sequence[bool]) -> None:
    """Hypotheses, questions, the gate, and alarms on reports that nobody meant as an attack."""
    n = len(verdicts)
    into.lines.append(_line("hypotheses", "reports with one", sum(v.hypothesis for v in verdicts), n))
    into.lines.append(_line("questions", "reports with any", sum(v.questions > 0 for v in verdicts), n))
    for decision in ("auto", "ask", "block", "abstain"):
        into.lines.append(_line("gate as shipped", decision, sum(v.gate == decision for v in verdicts), n))
    if any(critical):
        missed = sum(v.gate == "auto" for v, top in zip(verdicts, critical, strict=True) if top)
        into.lines.append(_line("gate as shipped", "critical reports let through", missed, sum(critical), lower=True))
    else:
        into.notes.append("Missed critical reports were not measured: no report has the highest severity in the end.")
    for rule, name in (("injection", "injection"), ("hidden-text", "hidden text")):
        flagged = sum(rule in v.rules for v in verdicts)
        into.lines.append(_line("alarms on ordinary reports", name, flagged, n, lower=True))
    failed = [v for v in verdicts if v.error]
    into.lines.append(_line("verdicts", "reports without one", len(failed), n, lower=True))
    if failed:
        into.notes.append(f"No verdict for {failed[0].report_id}: {failed[0].error}")


def _calibration(
    into: Measured, field: str, who: str, said: Sequence[Guess | None], known: Sequence[Sequence[str]]
) -> None:
    told = [
        (guess.probability, guess.ranked[0] in truth)
        for guess, truth in zip(said, known, strict=True)
        if guess is not None and guess.answered and guess.probability is not None and guess.ranked
    ]
    if len(told) < MIN_CASES:
        if who == SYSTEM:
            into.notes.append(f"{field}: the system told no probability, so there is no ECE and no coverage.")
        return
    sure, right = [float(p) for p, _ in told], [float(hit) for _, hit in told]
    share = len(told) / len(known)

    def coverage(confidence: Floats, hits: Floats) -> float:
        return share * coverage_at(confidence, hits, ACCURACY)

    lines = [
        resampled(field, "ECE", who, expected_calibration_error, sure, right, lower_is_better=True),
        resampled(field, f"coverage at {ACCURACY:.0%} accuracy", who, coverage, sure, right),
        resampled(field, "AURC", who, aurc, sure, right, lower_is_better=True),
    ]
    into.lines += [line for line in lines if line]
    curve = [Point(x=p.coverage, y=p.risk) for p in risk_coverage(sure, right, len(known))]
    into.risk.setdefault(field, []).append(Curve(name=who, points=_thinned(curve)))
    if who == SYSTEM:
        into.reliability[field] = adaptive_bins(sure, right)


def _line(group: str, measure: str, count: int, n: int, *, lower: bool = False) -> Line:
    return Line(group=group, measure=measure, who=SYSTEM, value=wilson(count, n), lower_is_better=lower)


def _ranked(guess: Guess | None) -> list[str]:
    return guess.ranked if guess else []


def _head(names: Sequence[str], truth: Sequence[str]) -> str | None:
    """The first label named; one of several right ones counts as the leading right one."""
    if not names:
        return None
    return truth[0] if names[0] in truth else names[0]


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most SHOWN_POINTS of a long curve, its end among them."""
    step = max(1, len(points) // SHOWN_POINTS)
    return [*points[:-1:step], points[-1]] if points else []
