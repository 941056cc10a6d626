"""The real adapter on the stand-in, with a clock that moves only when somebody sleeps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qa_agents.settings import JiraSettings
from qa_agents.trackers.jira import JiraTracker
from qa_agents.trackers.jira_http import JiraHttp
from qa_agents.trackers.jira_notes import Notes
from tests.fakes.jira.server import TOKEN, USER, FakeJira, Faults
from tests.fakes.jira.site import SEVERITY, FakeSite

START = 1_790_000_000.0


class Clock:
    """Seconds since the epoch; sleeping takes no time and moves it."""

    def __init__(self, at: float = START) -> None:
        self.at = at
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def jira_settings(jira: FakeJira, **changes: Any) -> JiraSettings:
    """Settings for the stand-in: private comments for developers, severity in its custom field."""
    known: dict[str, Any] = {
        "base_url": jira.url,
        "deployment": "cloud" if jira.site.cloud else "dc",
        "user": USER if jira.site.cloud else None,
        "token": TOKEN,
        "projects": [jira.site.project],
        "visibility": {"type": "role", "value": "Developers"},
        "severity_field": SEVERITY,
        "timeout": (3.0, 5.0),
    }
    return JiraSettings.model_validate(known | changes)


def tracker_on(jira: FakeJira, clock: Clock, notes: Notes | None = None, **changes: Any) -> JiraTracker:
    """The adapter, waiting on the given clock."""
    settings = jira_settings(jira, **changes)
    http = JiraHttp(settings, sleep=clock.sleep, clock=clock, now=clock, jitter=lambda: 0.5)
    return JiraTracker(settings, notes, http=http, sleep=clock.sleep, now=clock)


@contextmanager
def serving(*, cloud: bool = True, faults: Faults | None = None) -> Iterator[tuple[FakeJira, Clock]]:
    """A stand-in with a clock of its own."""
    clock = Clock()
    with FakeJira(FakeSite(cloud=cloud, clock=clock), faults) as jira:
        yield jira, clock
