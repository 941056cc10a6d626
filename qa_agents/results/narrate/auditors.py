"""For those who must be able to prove it: what was read, what it proves, which promises were held, and by what digest."""

from qa_agents.plurals import counted, plural
from qa_agents.results.narrate.story import Block, Bullets, Code, Line, Paragraph, Section, Table
from qa_agents.results.schema import ReadFile
from qa_agents.results.summary import Summary

SHOWN_FILES, SHOWN_REQUIREMENTS = 500, 200
_METHOD = (
    "New, suspected and flaking are told apart by each test's own record (a posterior probability, given with every test) "
    "and by what its failure says; durations by the rank test of Mann and Whitney with Holm's correction; causes by their "
    "normalised words."
)


def for_auditors(summary: Summary) -> Section:
    """Identity, inputs with digests, promises, requirements, and what was not looked at."""
    blocks: list[Block] = [_identity(summary), _files(summary), *_gates(summary), *_requirements(summary)]
    blocks.append(Paragraph((_METHOD,)))
    if summary.notes:
        blocks += [
            Paragraph(("What was not looked at, or was odd:",)),
            Bullets(tuple((Code(note),) for note in summary.notes)),
        ]
    return Section("For auditors", "audit", tuple(blocks))


def _identity(summary: Summary) -> Table:
    run, base = summary.run, summary.baseline
    rows: list[tuple[str, str, str]] = [
        ("run", run.run_id, base.run_id if base else ""),
        ("commit", run.commit, base.commit if base else ""),
        ("branch", run.branch, base.branch if base else ""),
        ("environment", run.environment, base.environment if base else ""),
        ("ran at", run.at.isoformat() if run.at else "", base.at.isoformat() if base and base.at else ""),
        ("digest (SHA-256)", summary.run_sha256, ""),
        ("judged by", counted(summary.comparison.runs_known, "run"), ""),
    ]
    told = tuple(
        ((label,), (Code(this),) if this else ("–",), (Code(before),) if before else ("–",))
        for label, this, before in rows
    )
    return Table("What this is about", ("fact", "this run", "baseline"), told)


def _files(summary: Summary) -> Table:
    kept = sorted(summary.files, key=lambda file: (file.is_whole, not file.refused, not file.notes))
    rows: tuple[tuple[Line, ...], ...] = tuple(
        (
            (Code(file.name),),
            (file.flavour or "not read",),
            (f"{file.tests + file.outputs:,}",),
            (Code(file.sha256[:16]) if file.sha256 else "–",),
            (_said(file),),
        )
        for file in kept[:SHOWN_FILES]
    )
    more = f", the {SHOWN_FILES} oddest of {len(summary.files):,}" if len(summary.files) > SHOWN_FILES else ""
    return Table(f"What was read{more}", ("file", "as", "results", "SHA-256 begins", "note"), rows)


def _said(file: ReadFile) -> Code | str:
    said = file.refused or " ".join(file.notes)
    return Code(said) if said else "whole"


def _gates(summary: Summary) -> list[Block]:
    if not summary.gates:
        return [Paragraph(("No quality gate was given.",))]
    rows: list[tuple[Line, ...]] = []
    for one in summary.gates:
        waiver = one.waiver
        waived = f"{waiver.owner}, until {waiver.expires:%Y-%m-%d}: {waiver.reason}" if waiver else ""
        rows.append(
            (
                (Code(one.gate.name),),
                (one.outcome,),
                (one.because,),
                (Code(one.gate.owner),),
                (Code(waived) if waived else "–",),
                (one.source or "–",),
            )
        )
    return [Table("Promises", ("promise", "outcome", "because", "owner", "waived by", "source"), tuple(rows))]


def _requirements(summary: Summary) -> list[Block]:
    proof = summary.proof
    if not proof.planned:
        return [Paragraph(("No stored plan has requirements that this run could prove.",))]
    blocks: list[Block] = [
        Paragraph(
            (
                f"Of {proof.planned:,} planned {plural(proof.planned, 'requirement')} this run proves {proof.proven:,}; "
                f"{counted(len(proof.unproven), 'is', 'are')} unproven, "
                f"and no test names {proof.untested:,}.",
            )
        )
    ]
    rows: tuple[tuple[Line, ...], ...] = tuple(
        (
            (Code(one.requirement_id),),
            (Code(one.plan),),
            (Code(one.text),),
            (Code(", ".join(one.tests[:5])),),
            (one.why,),
        )
        for one in proof.unproven[:SHOWN_REQUIREMENTS]
    )
    if rows:
        blocks.append(Table("Unproven requirements", ("requirement", "plan", "text", "tests", "why"), rows))
    return blocks
