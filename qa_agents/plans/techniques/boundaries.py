"""Boundary value analysis, ISO/IEC/IEEE 29119-4, 5.2.3: two and three values at every limit, by the field's own step."""

from collections.abc import Iterator
from decimal import Decimal

from qa_agents.plans.schema import CoverageItem, FieldSpec, Requirement, Technique
from qa_agents.plans.techniques.equivalence import outside, refused
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.techniques.roles import role_of
from qa_agents.plans.techniques.values import Edge, edges, length_edges, lengthy, shown, with_unit
from qa_agents.plans.wording import opposite, outcome_of

_TWO: tuple[Technique, ...] = ("boundary2", "boundary3")


def boundaries(requirement: Requirement) -> Iterator[CoverageItem]:
    """Two- and three-value items for every limit; the two-value ones are part of the three-value ones.

    A limit on what is entered gives accepted and refused values; a limit on what is put out, or a threshold that sets
    something off, gives situations on both sides of it.
    """
    for field in requirement.fields:
        role = role_of(field, requirement)
        if role == "measure":
            continue
        for edge in edges(field):
            if role == "input":
                yield from _entered(requirement, field, edge, length=False)
            elif role == "output":
                yield from _put_out(requirement, field, edge)
            else:
                yield from _set_off(requirement, field, edge)
        if role == "input":
            for edge in length_edges(field):
                yield from _entered(requirement, field, edge, length=True)


def _entered(requirement: Requirement, field: FieldSpec, edge: Edge, *, length: bool) -> Iterator[CoverageItem]:
    limit = f"{edge.side}{' length' if length else ''} {shown(edge.stated)}"
    near = "above" if edge.side == "minimum" else "below"
    places: list[tuple[Decimal, str, bool, tuple[Technique, ...]]] = [
        (edge.on, f"on the {limit}" if edge.on == edge.stated else f"just {near} the excluded {limit}", True, _TWO),
        (edge.outside, outside(edge, length=length), False, _TWO),
    ]
    if edge.inside is not None:
        places.append((edge.inside, f"just inside the {limit}", True, ("boundary3",)))
    for value, where, valid, techniques in places:
        text = str(int(value)) + (" character" if value == 1 else " characters") if length else with_unit(value, field)
        what = f"{lengthy(field.name, value)} ({where})" if length else f"{field.name} = {text} ({where})"
        rule = _rule(edge, value, length)
        if valid:
            expected = f"{lengthy(field.name, value)} is accepted" if length else f"{field.name} = {text} is accepted"
            for technique in techniques:
                yield make_item(
                    requirement,
                    technique,
                    what,
                    rule=rule,
                    polarity="boundary",
                    parameters={field.name: text},
                    expected=expected,
                )
        else:
            expected, quoted = refused(requirement, field.name, text, where)
            for technique in techniques:
                yield make_item(
                    requirement,
                    technique,
                    what,
                    rule=rule,
                    polarity="negative",
                    parameters={field.name: text},
                    expected=expected,
                    basis="quote" if quoted else "derived",
                )


def _put_out(requirement: Requirement, field: FieldSpec, edge: Edge) -> Iterator[CoverageItem]:
    """As many as the limit, and one more: what is put out stays within the words of the requirement."""
    for value, where in ((edge.on, f"as much as the {edge.side}"), (edge.outside, f"one step beyond the {edge.side}")):
        if value < 0:
            continue
        text = with_unit(value, field)
        for technique in _TWO:
            yield make_item(
                requirement,
                technique,
                f"{text} to put out ({where} {shown(edge.stated)})",
                rule=f"output-{'at' if value == edge.on else 'beyond'}-{edge.side}",
                polarity="boundary",
                parameters={f"available {field.name}": text},
                expected=outcome_of(requirement),
                basis="quote",
            )


def _set_off(requirement: Requirement, field: FieldSpec, edge: Edge) -> Iterator[CoverageItem]:
    """Before the threshold nothing happens; at it, the requirement's response does."""
    reached = edge.on if edge.side == "minimum" else edge.outside
    before = edge.outside if edge.side == "minimum" else edge.on
    if edge.stated == edge.on and edge.side == "maximum":
        reached, before = edge.on, edge.inside if edge.inside is not None else edge.on - (edge.outside - edge.on)
    outcome = outcome_of(requirement)
    at, early = with_unit(reached, field), with_unit(before, field)
    for technique in _TWO:
        yield make_item(
            requirement,
            technique,
            f"{field.name}: {at} (threshold reached)",
            rule="threshold-reached",
            polarity="boundary",
            parameters={field.name: at},
            expected=outcome,
            basis="quote",
        )
        if before >= 0:
            yield make_item(
                requirement,
                technique,
                f"{field.name}: {early} (one step before the threshold)",
                rule="threshold-not-reached",
                polarity="negative",
                parameters={field.name: early},
                expected=f"Not yet at {early}: {opposite(outcome)}",
            )


def _rule(edge: Edge, value: Decimal, length: bool) -> str:
    place = "on" if value == edge.on else "just-inside" if value == edge.inside else "just-outside"
    return f"{place}-{edge.side}{'-length' if length else ''}"
