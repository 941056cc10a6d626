"""What a look at AI outputs says, in sentences that a product owner understands. Pure."""

from collections.abc import Iterator

from qa_agents.results.bounds import told
from qa_agents.results.monitor.fairness import Fairness
from qa_agents.results.monitor.monitoring import ColumnChange, Monitoring
from qa_agents.results.monitor.slices import Slice

SHOWN = 5


def headline(found: Monitoring) -> str:
    """One line: what was looked at, and whether a person should look."""
    against = f" against {found.baseline} ({found.n_before:,})" if found.baseline else ""
    verdict = "a person should look" if found.has_findings else "nothing was found"
    return f"{found.run}: {found.n:,} outputs{against}: {verdict}"


def sentences(found: Monitoring) -> list[str]:
    """The findings, the most telling first; what could not be found is said by `unseen`."""
    return [*_changes(found), *_alarms(found), *_slices(found), *_groups(found), *_quiet(found)]


def column_says(one: ColumnChange) -> str:
    """A column in a word or two."""
    said = "changed" if one.drifted else "not tested" if one.p is None else "no change shown"
    return f"{said}; {one.note}" if one.note else said


def unseen(found: Monitoring) -> list[str]:
    """What is too small to be seen with so much data, per column of means."""
    return [
        f"{one.column}: a change below ±{one.change.detectable:.2g} would often go unseen with so many outputs"
        for one in found.columns
        if one.change is not None and one.change.detectable is not None and not one.drifted
    ]


def _changes(found: Monitoring) -> Iterator[str]:
    for one in found.columns:
        if not one.drifted:
            continue
        if one.change is None:
            what = "says other things than before" if one.kind == "text" else "is distributed otherwise than before"
            yield f"{one.column} {what} ({one.effect_name} {one.effect:.2f}{f'; {one.note}' if one.note else ''})."
        elif one.change.low <= 0 <= one.change.high:
            size = f"{one.effect_name} {one.effect:.2f}"
            yield f"{one.column} is spread otherwise than before, though its mean did not move ({size})."
        else:
            way = "rose" if one.change.value > 0 else "fell"
            yield f"{one.column} {way} from {told(one.before or 0.0)} to {told(one.now or 0.0)}: by {one.change}."


def _alarms(found: Monitoring) -> Iterator[str]:
    for one in found.watched:
        if one.alarmed_at is not None:
            when = found.looks[one.alarmed_at]
            yield f"{one.column} is no longer what it was: shown since {when}, look {one.alarmed_at} of {one.looks}."


def _slices(found: Monitoring) -> Iterator[str]:
    for one in found.slices.found[:SHOWN]:
        lost = f"; about {one.excess:.0f} of {one.n} are lost to it" if one.excess >= 1 and 0 <= one.mean <= 1 else ""
        yield f"{one.score} is worse where {one.name}: {told(one.mean)} instead of {told(one.rest)} elsewhere{lost}.{_since(one)}"
    known = {one.name for one in found.slices.found}
    for one in [other for other in found.slices.worse if other.name not in known][:SHOWN]:
        if one.since is not None and len(one.where) == 1:
            yield f"{one.score} got worse where {one.name}: {one.since} against the baseline."


def _since(one: Slice) -> str:
    if one.since is None:
        return ""
    lost = one.since.low > 0 or one.since.high < 0
    return f" It changed by {one.since} there." if lost else " It was so before, as far as can be seen."


def _groups(found: Monitoring) -> Iterator[str]:
    for one in found.unfair:
        if "×" in one.attribute:
            continue
        worst = max((g for g in one.compared if g.gap is not None), key=lambda group: abs(group.gap or 0))
        yield (
            f"{one.score} differs by {one.attribute}: {worst.value} is {worst.gap:+.3f} from the others "
            f"({worst.low:+.3f} to {worst.high:+.3f}, n = {worst.n})."
        )


def _quiet(found: Monitoring) -> Iterator[str]:
    if found.columns:
        same = len(found.columns) - len(found.drifted)
        yield f"{same} of {len(found.columns)} columns are not shown to differ from the baseline."
    equal = [one for one in found.fairness if one.standing == "equal"]
    open_ = [one for one in found.fairness if one.standing == "undecided"]
    if equal:
        yield f"Shown to be equal within ±{equal[0].margin:g}: {_names(equal)}."
    if open_:
        yield f"Neither a difference nor equality is shown for {_names(open_)}: more outputs are needed."


def _names(found: list[Fairness]) -> str:
    names = [f"{one.score} by {one.attribute}" for one in found]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
