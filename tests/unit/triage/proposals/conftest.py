"""An invented past of the Wickerbell team: four components with their own words, people and habits."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from qa_agents.incidents.schema import Candidate, Incident
from qa_agents.triage.proposals.fit import fit_proposals
from qa_agents.triage.proposals.fitted import FittedProposals

START = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = {
    "Payments": ("refund", "invoice", "deposit", "card", "payout"),
    "Calendar": ("booking", "slot", "timezone", "recurring", "week"),
    "Mobile / Android": ("android", "push", "emulator", "gesture", "apk"),
    "Mobile / iOS": ("iphone", "push", "testflight", "gesture", "ipad"),
}
PEOPLE = {"Payments": "ana", "Calendar": "bo", "Mobile / Android": "cy", "Mobile / iOS": "dee"}

Past = Callable[..., list[Incident]]


def invented_past(count: int = 400, seed: int = 0, *, start: datetime = START, prefix: str = "W") -> list[Incident]:
    chance, found = Random(seed), []
    for n in range(count):
        component = chance.choice(list(WORDS))
        words = [*chance.sample(WORDS[component], 3), chance.choice(WORDS[chance.choice(list(WORDS))])]
        created = start + timedelta(hours=12 * n)
        fields: dict[str, Any] = {
            "summary": f"{words[0]} {words[1]} fails",
            "description": f"When the {words[2]} is used, the {words[3]} shows a wrong value in view {chance.randrange(40)}.",
            "component": component,
            "type": "Bug" if chance.random() < 0.9 else "Task",
            "priority": chance.choice(["High", "Low"]),
            "product": "MOBILE" if component.startswith("Mobile") else "WEB",
            "reporter": f"r{chance.randrange(12)}",
            "created": created,
        }
        if n < count - 15:
            fields |= {"status": "Closed", "resolution": "Fixed", "resolved": created + timedelta(days=3)}
            fields["assignee"] = PEOPLE[component]
        found.append(Incident(id=f"{prefix}-{n}", **fields))
    return found


@pytest.fixture(scope="session")
def make_past() -> Past:
    """Makes a past: `count` incidents half a day apart, the last 15 of them open."""
    return invented_past


@pytest.fixture(scope="session")
def past() -> list[Incident]:
    """Two hundred days of reports."""
    return invented_past()


@pytest.fixture(scope="session")
def now(past: list[Incident]) -> datetime:
    """The day after the last of them."""
    assert past[-1].created is not None
    return past[-1].created + timedelta(days=1)


@pytest.fixture(scope="session")
def fitted(past: list[Incident], now: datetime) -> FittedProposals:
    """Fitted on that past, without vectors."""
    return fit_proposals(past, None, now)


@pytest.fixture
def around(past: list[Incident]) -> Callable[[str], list[tuple[Candidate, Incident]]]:
    """The newest ten incidents of a component, as a search would give them."""

    def near(component: str) -> list[tuple[Candidate, Incident]]:
        same = [incident for incident in past[:-15] if incident.component == component][-10:]
        return [(Candidate(incident_id=i.id, score=0.8, lexical=0.6, dense=0.7), i) for i in reversed(same)]

    return near
