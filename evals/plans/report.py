"""The measurement of test plans as Markdown tables."""

from collections.abc import Iterable, Sequence

from evals.plans.matcher import LICENCE
from evals.report import table
from evals.stats import Interval
from evals.suites.plans import Plans, Planted, Promise

_STATE = {True: "kept", False: "MISSED", None: "not measured"}


def plans_report(found: Plans, kept: Sequence[Promise]) -> str:
    """Promises first, then what they rest on; the coverage last, with what it is worth."""
    parts = [
        "## Test plans",
        f"`python -m evals plans{' --quick' if found.quick else ''}`, no model, {found.seconds / 60:.0f} min; "
        "95 % intervals: Wilson.",
        table(
            ("promise", "limit", "measured", "n", ""),
            ((one.name, one.limit, one.measured, str(one.n), _STATE[one.kept]) for one in kept),
        ),
        "### Against their own text",
        table(
            ("text", "requirements", "cases", "quotes", "numbers", "literals", "by basis", "same words elsewhere"),
            _grounding(found),
        ),
        _judged(found),
        "### When the text changes",
        _changed(found),
        "### Tests that run",
        _executed(found),
        "### Behaviours of independent suites",
        _licence(found),
        table(
            (
                "suite",
                "behaviours",
                "cases",
                "plan",
                "copy of the text",
                "as many lines of it",
                "foreign plan",
                "empty",
                "groups",
                "cases per covered",
            ),
            _coverage(found),
        ),
        "\n".join(_notes(found)),
    ]
    return "\n\n".join(part for part in parts if part)


def _grounding(found: Plans) -> Iterable[tuple[str, ...]]:
    for one in found.grounding:
        bases = ", ".join(f"{name} {number}" for name, number in one.bases.items())
        yield (
            one.corpus, str(one.requirements), str(one.cases), _of(one.quotes), _of(one.numbers),
            _of(one.literals), bases, str(one.same_words),
        )  # fmt: skip


def _judged(found: Plans) -> str:
    one, planted = found.judged, found.planted
    verdicts = ", ".join(f"{name} {number}" for name, number in one.verdicts.items()) or "none"
    by_text = ", ".join(f"{name} {share}" for name, share in one.sound_by_text.items())
    read = (
        f"{one.read} cases were read against the text by hand: {verdicts}; sound {one.sound} ({by_text}). {one.unchanged} "
        f"of them are still in the plans word for word; read as contradicting and still there: "
        f"{', '.join(one.still_wrong) or 'none'}."
    )
    return f"{read}\n\n{_planted('an example', planted)}" + (
        f"\n\n{_planted('a text for this measurement', found.planted_elsewhere)}" if found.planted_elsewhere else ""
    )


def _planted(where: str, found: Planted) -> str:
    missed = f" Missed: {'; '.join(found.missed)}." if found.missed else ""
    return f"Contradictions planted in {where}: {found.found} found, {found.false_alarms} false alarms.{missed}"


def _changed(found: Plans) -> str:
    lines = []
    if one := found.changed:
        lines += [
            f"TOML 1.0.0 to 1.1.0, 20 cases edited before: {one.cases_before} cases, redrafted {one.redrafted}, "
            f"touched in any way {one.touched}, added {one.added}. Changed behaviours (n = {one.recall_cases.n}): "
            f"{one.recall_requirements} shown by requirements, {one.recall_cases} by cases, {one.recall_asked} by cases or "
            f"questions. Identical among the cases "
            f"whose quotes stand word for word in the new text: {one.untouched_identical}.",
            *([f"Not shown: {'; '.join(one.missed)}."] if one.missed else []),
        ]
    lines.append(
        table(
            ("text with other numbers and names", "numbers", "names", "cases with an old value", "new values used"),
            ((f.text, str(f.numbers), str(f.names), str(f.using_old), str(f.using_new)) for f in found.followed),
        )
    )
    return "\n\n".join(lines)


def _executed(found: Plans) -> str:
    ours, theirs = found.executed.ours, found.executed.peer
    row = ("drafted pytest", str(ours.tests), str(ours.requests), str(len(ours.conforming_failures)), str(ours.share))
    rows = [row]
    if theirs:
        row = (
            f"Schemathesis {theirs.version}",
            "–",
            str(theirs.requests),
            str(theirs.conforming_failures),
            str(theirs.share),
        )
        rows.append(row)
    head = (
        "RealWorld API, one fault at a time",
        "tests",
        "requests",
        "failures without a fault",
        f"faults noticed, n = {ours.share.n}",
    )
    said = [table(head, rows)]
    if theirs:
        both = set(ours.noticed) & set(theirs.noticed)
        only = sorted(set(theirs.noticed) - both)
        said.append(
            f"Noticed by both {len(both)}, by the drafted tests only {len(set(ours.noticed) - both)}, by Schemathesis "
            f"only {len(only)}{': ' + ', '.join(only) if only else ''}. Schemathesis has a registered user's token; a "
            "fault counts when a check fails for an operation for which it passes without the fault."
        )
    else:
        said.append(f"No peer: {found.executed.why_no_peer}.")
    if ours.missed:
        said.append(f"Not noticed by the drafted tests: {', '.join(ours.missed)}.")
    return "\n\n".join(said)


def _licence(found: Plans) -> str:
    one = found.licence
    verdict = "licensed" if one.passed else "**not licensed: the numbers below say little about the plans**"
    return (
        f"A transparent matcher of words, deeds, meaning, opposites and literals decides. On {one.pairs} labelled pairs its "
        f"balanced accuracy is {one.balanced_accuracy} (always one answer: {one.majority:.1f}; needed: {LICENCE}), each half "
        f"judged at the threshold chosen on the other; it ranks a match above a mismatch in {one.ranking:.2f} of all pairs: "
        f"{verdict}. Not even a distance from the controls is evidence then. Requests and properties of an API are compared "
        "exactly and need no licence; the text of an API description sends none."
    )


def _coverage(found: Plans) -> Iterable[tuple[str, ...]]:
    for one in found.coverage:
        each = f"{one.cases_per_covered:.1f}" if one.cases_per_covered else "–"
        copied = f"{one.spec_copy.covered}, {one.copied} lines"
        yield (
            one.corpus, str(one.behaviours), str(one.cases), str(one.plan.covered), copied, str(one.copy_in_part.covered),
            str(one.foreign.covered), str(one.empty.covered), str(one.groups), each,
        )  # fmt: skip


def _notes(found: Plans) -> Iterable[str]:
    for one in found.coverage:
        kinds = ", ".join(f"{kind} {share}" for kind, share in one.plan.by_kind.items())
        cited = f"; words labelled as its ground lie in a requirement with a case: {one.cited}" if one.cited else ""
        yield f"- {one.corpus}: {kinds}{cited}"


def _of(rate: Interval) -> str:
    return f"{round(rate.value * rate.n)} of {rate.n}"
