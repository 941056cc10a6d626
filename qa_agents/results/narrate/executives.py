"""For those who decide: three sentences, what changed, what to decide."""

from collections.abc import Sequence

from qa_agents.plurals import counted
from qa_agents.results.narrate.story import (
    Block,
    Bullets,
    Code,
    Line,
    Link,
    Paragraph,
    Section,
    be,
    cause_anchor,
    count,
    joined,
    linked,
    many,
    shown,
)
from qa_agents.results.schema import RED
from qa_agents.results.summary import Decide, Summary

LIGHTS = {"red": "Red", "yellow": "Yellow", "green": "Green"}
WORDED = "A language model worded these sentences; every number and name in them was checked against the results."
_SHOWN = 6
_TITLE = 140


def for_executives(summary: Summary, opening: Sequence[str] = ()) -> Section:
    """The page of a person with one minute. `opening`: other sentences in place of the three, checked against the data."""
    sentences: Sequence[Line] = [(sentence,) for sentence in opening] or three_sentences(summary)
    blocks: list[Block] = [
        Paragraph((f"{LIGHTS[summary.light]}: {_because(summary)}.",)),
        *(Paragraph(line) for line in sentences),
    ]
    if opening:
        blocks.append(Paragraph((WORDED,)))
    if unread := _unread(summary):
        told = f"{counted(unread, 'file was', 'files were')} not read whole, so some tests may be missing here: see "
        blocks.append(Paragraph((told, Link("what was read", "audit"), ".")))
    changed = what_changed(summary)
    if changed:
        blocks += [Paragraph(("What changed:",)), Bullets(tuple(changed))]
    if len(summary.decide) > 1:
        asked = tuple(_asked(one) for one in summary.decide[:_SHOWN])
        blocks += [Paragraph(("What to decide:",)), Bullets(asked, max(0, len(summary.decide) - _SHOWN))]
    return Section("In short", "short", tuple(blocks))


def three_sentences(summary: Summary) -> list[Line]:
    """How the run went, what changed, what is left to decide."""
    return [_how_it_went(summary), _what_is_new(summary), _what_is_left(summary)]


def what_changed(summary: Summary) -> list[Line]:
    """What differs from the baseline, the most important first; nothing without a baseline."""
    if summary.baseline is None:
        return []
    kinds = (
        ("new", "test is newly broken", "tests are newly broken"),
        (
            "suspected",
            "failure is suspected: a further run will tell",
            "failures are suspected: a further run will tell",
        ),
        ("missing", "test did not run", "tests did not run"),
        ("slower", "test became slower", "tests became slower"),
        ("newly_skipped", "test is skipped now", "tests are skipped now"),
        ("fixed", "test was mended", "tests were mended"),
        ("still", "test was broken before already", "tests were broken before already"),
        ("flaky", "test flakes, and is not counted as broken", "tests flake, and are not counted as broken"),
        ("added", "test was added", "tests were added"),
    )
    told: list[Line] = [(*many(summary, name, one, more), ".") for name, one, more in kinds if count(summary, name)]
    coverage = summary.figure("line_coverage")
    if coverage is not None and coverage.before is not None and abs(coverage.value - coverage.before) >= 0.05:
        way = "rose" if coverage.value > coverage.before else "fell"
        before = shown(coverage, coverage.before)
        told.append((f"Line coverage {way} from {before} to ", linked(summary, "line_coverage"), "."))
    return told


def _because(summary: Summary) -> str:
    """Why the light is what it is, as a clause."""
    if summary.light == "green":
        return "nothing is newly broken, and nothing is open"
    if summary.light == "yellow":
        reasons = (
            (not summary.comparison.counts or not any(summary.comparison.counts.values()), "no test ran"),
            (bool(_unread(summary)), "a part of the results could not be read"),
            (summary.gate == "undecided", "a promise of the quality gate is open"),
            (count(summary, "suspected"), "failures are suspected"),
            (count(summary, "still"), "tests were broken before already"),
            (count(summary, "missing"), "tests did not run"),
            (count(summary, "newly_skipped"), "tests are skipped now"),
            (count(summary, "slower"), "tests became slower"),
        )
        return " and ".join([said for holds, said in reasons if holds][:2]) or "something should be looked at"
    broke = "something broke" if count(summary, "new") else "tests fail" if count(summary, "failing") else ""
    promise = "a promise of the quality gate is not kept" if summary.gate == "red" else ""
    return " and ".join(part for part in (broke, promise) if part) or "a person must look"


def _unread(summary: Summary) -> int:
    """How many files were not read whole."""
    return sum(not file.is_whole for file in summary.files)


def _how_it_went(summary: Summary) -> Line:
    total, passed = count(summary, "tests"), count(summary, "passed")
    if not total:
        return (
            (f"No test ran; {counted(summary.outputs, 'output')} of the system were scored.",)
            if (summary.outputs)
            else ("No test ran, so nothing is known about this build.",)
        )
    if passed == total:
        return ("The only test passed.",) if total == 1 else ("All ", *many(summary, "tests", "test"), " passed.")
    rest: list[Line] = []
    for name, said in (("failed", " failed"), ("error", " broke before it could tell"), ("skipped", " did not run")):
        if number := count(summary, name):
            rest.append((linked(summary, name), said if number == 1 else said.replace("it could", "they could")))
    begin: Line = ("None",) if not passed else (linked(summary, "passed"),)
    return (*begin, " of ", *many(summary, "tests", "test"), " passed; " if passed else " passed: ", *joined(rest), ".")


def _what_is_new(summary: Summary) -> Line:
    red = count(summary, "failed") + count(summary, "error")
    causes = [cause for cause in summary.causes if cause.kind in ("new", "failing")]
    if summary.baseline is None:
        begin: Line = ("There is no earlier run to compare with",)
        if not red or not summary.causes:
            return (*begin, ".")
        one = "; all failures have one cause, " if len(summary.causes) == 1 else None
        found: Line = (one,) if one else ("; the failures have ", *many(summary, "causes", "cause"), ", the first ")
        return (*begin, *found, Code(summary.causes[0].title[:_TITLE]), ".")
    against = Code(summary.baseline.run_id)
    new = count(summary, "new")
    if new:
        why: Line = (".",)
        if len(causes) == 1:
            across = f" in {causes[0].suites:,} suites" if causes[0].suites > 1 else ""
            why = (": " if new == 1 else f", all{across} for one reason: ", Code(causes[0].title[:_TITLE]), ".")
        elif causes:
            why = (
                ", for ",
                Link(f"{len(causes)} reasons", "engineers"),
                ", the first ",
                Code(causes[0].title[:_TITLE]),
                ".",
            )
        return ("Since ", against, ", ", *many(summary, "new", "test"), f" {be(new)} newly broken", *why)
    doubts: list[Line] = []
    if count(summary, "suspected"):
        doubts.append((*many(summary, "suspected", "failure"), f" {be(count(summary, 'suspected'))} suspected"))
    if count(summary, "still"):
        doubts.append(
            (*many(summary, "still", "test"), f" {'was' if count(summary, 'still') == 1 else 'were'} broken before")
        )
    if count(summary, "missing"):
        doubts.append((*many(summary, "missing", "test"), " did not run"))
    if red and red == sum(one.outcome in RED for one in summary.comparison.of("flaky")):
        doubts.append(("the one failure" if red == 1 else "every failure", " is of a test that flakes"))
    tail: Line = ("; ", *joined(doubts), ".") if doubts else (".",)
    return ("Nothing is newly broken since ", against, *tail)


def _what_is_left(summary: Summary) -> Line:
    held = [one for one in summary.gates if one.outcome in ("red", "undecided")]
    if held:
        names = joined([(Code(one.gate.name),) for one in held[:3]])
        more = f" and {len(held) - 3} more" if len(held) > 3 else ""
        return ("The quality gate holds it back (", *names, f"{more}) until somebody accountable signs.")
    if not summary.decide:
        return ("Nothing is left to decide.",)
    asked, first = len(summary.decide), summary.decide[0]
    begin = "One thing is to be decided: " if asked == 1 else f"{asked} things are to be decided, first: "
    question = first.question[:1].lower() + first.question[1:]
    for cause in summary.causes[:1]:  # the sentence before has named it
        question = question.replace(f": {cause.title[:100]})", ")")
    return (begin, *_asked(first.model_copy(update={"question": question})))


def _asked(decide: Decide) -> Line:
    """A question, in which the cause it is about leads to where that is told."""
    before, cause, after = decide.question.partition(decide.about)
    if not cause or not decide.about.startswith("C"):
        return (decide.question,)
    return (before, Link(cause, cause_anchor(cause)), after)
