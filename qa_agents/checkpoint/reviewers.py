"""How reviewers do: how often they override, what they catch, whether a second person agrees; every number with its n."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from pydantic import BaseModel, Field

from qa_agents.checkpoint.canaries import caught
from qa_agents.checkpoint.oversight import SETTLING, Answer, answers, pairs, same_person
from qa_agents.checkpoint.rates import Agreement, Rate, kappa, wilson
from qa_agents.storage.engine import Database

OVERRIDES_EXPECTED = 0.03
"""Who overrides less than this is either served very well or no longer looks."""
ENOUGH_DECISIONS = 50
"""Below this, a low override rate says nothing."""
KAPPA_EXPECTED = 0.6
ENOUGH_PAIRS = 10


class Reviewer(BaseModel):
    """One reviewer's record, canaries and second looks apart from the decisions that count."""

    name: str
    decisions: int
    """Answers that settle: approve, edit, reject, ask_reporter. Canaries and second looks are not among them."""
    verdicts: dict[str, Rate]
    override: Rate
    """Edits and rejections among the decisions."""
    median_seconds: float | None
    """From the opening of the review to the answer: information, never enforced."""
    canaries: Rate
    """Seeded known-bad cases that were caught."""
    second_looks: Agreement
    """The reviewer's answers beside the blind second ones."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Reason codes, the most frequent first."""
    warnings: list[str] = Field(default_factory=list)


class Stats(BaseModel):
    """What `review stats` prints."""

    since: float | None
    everyone: Reviewer
    reviewers: list[Reviewer]
    kept: dict[str, Rate]
    """Per field: how often a value that was proposed for writing was kept, among approve, edit and reject."""


def stats(database: Database, *, reviewer: str | None = None, since: float | None = None) -> Stats:
    """The record of every reviewer (or the one named) from `since` on, seconds since the epoch."""
    given = answers(database, since=since or 0.0)
    matched = pairs(given)
    if reviewer is not None:
        given = [answer for answer in given if same_person(answer.reviewer, reviewer)]
        matched = [pair for pair in matched if same_person(pair[0].reviewer, reviewer)]
    return Stats(
        since=since,
        everyone=_record("everyone", given, matched),
        reviewers=[
            _record(
                name,
                [answer for answer in given if answer.reviewer == name],
                [pair for pair in matched if pair[0].reviewer == name],
            )
            for name in sorted({answer.reviewer for answer in given})
        ],
        kept=kept_rates(answer for answer in given if answer.purpose == "vote"),
    )


def kept_rates(given: Iterable[Answer]) -> dict[str, Rate]:
    """Per field, how often people kept the proposed value; a question to the reporter is no judgement and not counted."""
    offered: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for answer in given:
        if answer.verdict == "ask_reporter":
            continue
        for field, value in _proposed(answer).items():
            offered[field] += 1
            kept[field] += answer.verdict != "reject" and answer.edits.get(field, value) == value
    return {field: wilson(kept[field], n) for field, n in sorted(offered.items())}


def warnings_about(override: Rate, second: Agreement) -> list[str]:
    """What a lead should look into, as sentences; silent where the numbers are too small to speak."""
    said = []
    if override.value is not None and override.n >= ENOUGH_DECISIONS and override.value < OVERRIDES_EXPECTED:
        said.append(
            f"Overrode {override} of the decisions; below {OVERRIDES_EXPECTED:.0%} "
            "the proposals are very good or no longer checked; the canaries tell which."
        )
    if second.kappa is not None and second.n >= ENOUGH_PAIRS and second.kappa < KAPPA_EXPECTED:
        said.append(
            f"Second looks agree with kappa {second.kappa:.2f} on {second.n}, below {KAPPA_EXPECTED}: "
            "the reviewers do not judge by the same rule."
        )
    return said


def _record(name: str, given: Sequence[Answer], matched: Sequence[tuple[Answer, Answer]]) -> Reviewer:
    votes = [answer for answer in given if answer.purpose == "vote"]
    seeded = [answer for answer in given if answer.purpose == "canary" and answer.seeded]
    counts = Counter(answer.verdict for answer in votes)
    override = wilson(counts["edit"] + counts["reject"], len(votes))
    second = kappa([(first.verdict, other.verdict) for first, other in matched])
    return Reviewer(
        name=name,
        decisions=len(votes),
        verdicts={verdict: wilson(counts[verdict], len(votes)) for verdict in SETTLING},
        override=override,
        median_seconds=median(answer.at - answer.opened_at for answer in votes) if votes else None,
        canaries=wilson(sum(caught(a.seeded or {}, a.verdict, a.edits) for a in seeded), len(seeded)),
        second_looks=second,
        reasons=dict(Counter(answer.reason_code for answer in votes if answer.reason_code).most_common()),
        warnings=warnings_about(override, second),
    )


def _proposed(answer: Answer) -> dict[str, str]:
    """The field values that approving would have written."""
    actions = answer.shown.get("actions") or ()
    return {
        str(action["params"]["field"]): str(action["params"]["value"])
        for action in actions
        if action.get("kind") == "set_field"
    }
