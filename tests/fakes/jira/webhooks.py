"""Signed deliveries as Jira makes them: duplicates, reordering, retries on 408, 425, 429 and 5xx, none on other refusals."""

import hashlib
import hmac
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.fakes.jira.api import Api
from tests.fakes.jira.site import FakeIssue, FakeSite

MAX_RETRIES = 5
Post = Callable[[bytes, dict[str, str]], int | None]
"""Sends one body with its headers; returns the status, None where the connection failed."""


@dataclass
class Delivery:
    """One event, sent again under the same identifier until it is taken or refused for good."""

    body: bytes
    identifier: str
    statuses: list[int | None] = field(default_factory=list)
    """What each attempt was answered."""

    @property
    def taken(self) -> bool:
        """Whether the receiver said 2xx."""
        return any(status is not None and 200 <= status < 300 for status in self.statuses)


def issue_event(site: FakeSite, issue: FakeIssue, kind: str = "jira:issue_updated", **more: Any) -> Delivery:
    """An event about the issue as it is now."""
    api = Api(site)
    body: dict[str, Any] = {
        "timestamp": int(site.clock() * 1000),
        "webhookEvent": kind,
        "issue_event_type_name": {"jira:issue_created": "issue_created"}.get(kind, "issue_generic"),
        "user": api.user(issue.reporter),
        "issue": api.issue(issue, {}),
    }
    return delivery(body | more)


def comment_events(site: FakeSite, issue: FakeIssue) -> list[Delivery]:
    """One comment fires two events: a thin one of its own, and an update of the issue."""
    api, comment = Api(site), issue.comments[-1]
    thin: dict[str, Any] = {"id": issue.id, "key": issue.key, "fields": {"summary": issue.fields["summary"]}}
    body: dict[str, Any] = {
        "timestamp": int(site.clock() * 1000),
        "webhookEvent": "comment_created",
        "comment": api.comment(comment, {}),
    }
    if site.cloud:
        body["issue"] = thin
    return [
        delivery(body),
        issue_event(site, issue, comment=api.comment(comment, {}), issue_event_type_name="issue_commented"),
    ]


def delivery(body: dict[str, Any]) -> Delivery:
    """A body under an identifier of its own, the same for the same body."""
    raw = json.dumps(body).encode()
    return Delivery(raw, str(UUID(bytes=hashlib.sha256(raw).digest()[:16])))


def signature(body: bytes, secret: str) -> str:
    """X-Hub-Signature of these raw bytes."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def deliver(
    events: Iterable[Delivery],
    post: Post,
    secret: str,
    *,
    copies: int = 1,
    shuffle: int | None = None,
    signed: bool = True,
) -> list[Delivery]:
    """Send every event `copies` times, in the order of the seed `shuffle` if given; returns them with their answers."""
    events = list(events)
    sending = [event for event in events for _ in range(copies)]
    if shuffle is not None:
        random.Random(shuffle).shuffle(sending)
    for event in sending:
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-Atlassian-Webhook-Identifier": event.identifier,
            "X-Atlassian-Webhook-Flow": "Primary",
            "User-Agent": "Atlassian Webhook HTTP Client",
        }
        if signed:
            headers["X-Hub-Signature"] = signature(event.body, secret)
        for retry in range(MAX_RETRIES + 1):
            status = post(event.body, headers | ({"X-Atlassian-Webhook-Retry": str(retry)} if retry else {}))
            event.statuses.append(status)
            if not (status is None or status in (408, 409, 425, 429) or status >= 500):
                break
    return events
