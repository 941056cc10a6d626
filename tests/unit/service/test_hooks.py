"""The acknowledgement path: what is refused and how, what is kept, and that nothing in a body can make it fail."""

import asyncio
import hmac
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from qa_agents.errors import StorageError
from qa_agents.service.app import build_app
from qa_agents.service.intake import OverloadedError
from qa_agents.service.metrics import Metrics
from qa_agents.wiring import Workspace
from tests.unit.service.conftest import SECRET, TOKEN, Sender, event, patience, settings_of, sign


def outcomes(sender: Sender) -> str:
    return str(sender.client.get("/metrics").text)


def test_a_genuine_delivery_is_on_disk_when_it_is_acknowledged(sender: Sender, workspace: Workspace) -> None:
    body = event()
    assert sender.send(body, delivery="d-1").status_code == 202
    letter = workspace.dead_letters.find("d1")
    assert (letter.body, letter.state, letter.details["delivery"]) == (body, "received", "d-1")


@pytest.mark.parametrize("repeats", [3])
def test_a_repetition_is_acknowledged_and_kept_once(sender: Sender, workspace: Workspace, repeats: int) -> None:
    body = event()
    assert [sender.send(body, delivery="same").status_code for _ in range(repeats)] == [202] * repeats
    assert workspace.intake.counts() == {"received": 1}
    assert 'outcome="duplicate"} 2' in outcomes(sender)


def test_the_same_body_under_a_forged_id_is_a_repetition(sender: Sender, workspace: Workspace) -> None:
    body = event()
    for delivery in ("one", "two", None):
        assert sender.send(body, delivery=delivery).status_code == 202
    assert workspace.intake.counts() == {"received": 1}


def test_the_same_id_with_another_body_is_kept_for_a_person(sender: Sender, workspace: Workspace) -> None:
    for issue in (1, 2):
        assert sender.send(event(issue), delivery="same").status_code == 202
    assert workspace.intake.counts() == {"received": 1, "dead": 1}
    assert "another body" in str(workspace.dead_letters.listed()[0].reason)


def test_without_an_id_the_body_alone_tells_deliveries_apart(sender: Sender, workspace: Workspace) -> None:
    one, two = event(1), event(2)
    for body in (one, two, two):
        assert sender.send(body, delivery=None).status_code == 202
    assert workspace.intake.counts() == {"received": 2}


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({"X-Hub-Signature": ""}, "signature_missing"),
        ({"X-Hub-Signature": "sha1=00"}, "signature_malformed"),
        ({"X-Hub-Signature": "nonsense"}, "signature_malformed"),
        ({"X-Hub-Signature": "sha256=" + "0" * 64}, "signature_wrong"),
        ({"X-Hub-Signature": sign(event(), "another secret")}, "signature_wrong"),
    ],
)
def test_who_cannot_be_recognised_is_refused_and_counted(
    sender: Sender, workspace: Workspace, headers: dict[str, str], outcome: str
) -> None:
    assert sender.send(event(), headers=headers).status_code == 401
    assert workspace.intake.counts() == {}
    assert f'outcome="{outcome}"}} 1' in outcomes(sender)


def test_a_hook_that_is_not_configured_is_not_there(sender: Sender, start: Callable[..., Sender]) -> None:
    assert sender.send(event(), source="other").status_code == 404
    without = start(hook={"secrets": []})
    assert without.send(event()).status_code == 404
    assert 'source="unknown"' in outcomes(sender)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_answered(sender: Sender, method: str) -> None:
    assert sender.client.request(method, "/hooks/jira/main").status_code == 405


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/xml", "\xff\xfe", "application/json; charset=latin-1"]
)
def test_the_content_type_says_nothing_that_the_signature_does_not(sender: Sender, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type.encode("latin-1")}
    assert sender.send(event(), headers=headers).status_code == 202


def test_a_body_over_the_limit_is_refused_before_and_while_it_is_read(start: Callable[..., Sender]) -> None:
    sender = start(max_delivery_bytes=2_000)
    large = b"x" * 2_001
    assert sender.send(large).status_code == 413
    chunked = (large[at : at + 100] for at in range(0, len(large), 100))
    answer = sender.client.post("/hooks/jira/main", content=chunked, headers={"X-Hub-Signature": sign(large)})
    assert answer.status_code == 413
    assert sender.send(b"y" * 2_000).status_code == 202
    assert sender.send(b"{}", headers={"Content-Length": "9" * 30}).status_code in (400, 413)


def test_a_body_in_pieces_cut_inside_a_character_is_the_same_body(sender: Sender, workspace: Workspace) -> None:
    body = event(issue=7, comment={"body": "żółw 🐢"})
    pieces = (body[at : at + 1] for at in range(len(body)))
    assert (
        sender.client.post("/hooks/jira/main", content=pieces, headers={"X-Hub-Signature": sign(body)}).status_code
        == 202
    )
    assert workspace.dead_letters.find("d1").body == body


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"[", b"{} {}", b"null", b"NaN", "ü".encode("latin-1")])
def test_what_is_no_json_is_acknowledged_because_nothing_is_parsed(sender: Sender, body: bytes) -> None:
    assert sender.send(body).status_code == 202


@pytest.mark.parametrize("delivery", ["a\x01b", "é", "x" * 201, "  "])
def test_an_id_that_cannot_be_kept_is_done_without(sender: Sender, workspace: Workspace, delivery: str) -> None:
    body = event()
    headers = {"X-Atlassian-Webhook-Identifier": delivery.encode("latin-1")}
    assert sender.send(body, delivery=None, headers=headers).status_code == 202
    assert workspace.dead_letters.find("d1").details["delivery"] is None


def test_addresses_outside_the_list_may_not_send(start: Callable[..., Sender]) -> None:
    sender = start(hook={"networks": ["10.0.0.0/8"]})
    assert sender.send(event()).status_code == 403


def test_an_automation_shows_its_token_and_equal_bodies_are_not_repetitions(
    sender: Sender, workspace: Workspace
) -> None:
    def post(token: str | None) -> int:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return int(sender.client.post("/hooks/automation/main", json={"issue": "WB-1"}, headers=headers).status_code)

    assert [post(None), post("wrong"), post(TOKEN), post(TOKEN)] == [401, 401, 202, 202]
    assert workspace.intake.counts() == {"received": 2}


def test_a_jira_secret_is_no_token_and_a_token_signs_nothing(sender: Sender) -> None:
    body = event()
    headers = {"Authorization": f"Bearer {SECRET}"}
    assert sender.client.post("/hooks/automation/main", content=body, headers=headers).status_code == 401
    assert sender.send(body, headers={"X-Hub-Signature": sign(body, TOKEN)}).status_code == 401


def test_with_a_full_disk_the_sender_is_told_to_come_back(start: Callable[..., Sender]) -> None:
    answer = start(min_free_bytes=10**18).send(event())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_when_the_database_fails_nothing_is_acknowledged(
    sender: Sender, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> Any:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(type(workspace.database), "write", full)
        answer = sender.send(event())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert sender.send(event()).status_code == 202


def test_an_answer_never_repeats_what_was_sent(sender: Sender) -> None:
    answers = [
        sender.send(b"<script>"),
        sender.send(event(), source="<script>"),
        sender.send(b"<script>", headers={"X-Hub-Signature": "<script>"}),
    ]
    assert all("<script>" not in answer.text for answer in answers)


@pytest.fixture(scope="module")
def long_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    from starlette.testclient import TestClient

    folder: Path = tmp_path_factory.mktemp("hooks")
    with (
        patience(),
        Workspace(settings_of(folder)) as made,
        TestClient(build_app(made), raise_server_exceptions=False) as client,
    ):
        yield Sender(client)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300),
    name=st.sampled_from(["X-Hub-Signature", "X-Atlassian-Webhook-Identifier", "Content-Type", "Authorization"]),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80),
    signed=st.booleans(),
)
def test_no_request_makes_it_fail(long_lived: Sender, body: bytes, name: str, value: str, signed: bool) -> None:
    headers: dict[str, Any] = {"X-Hub-Signature": sign(body)} if signed else {}
    headers[name] = value.encode("latin-1")
    answer = long_lived.client.post("/hooks/jira/main", content=body, headers=headers)
    assert answer.status_code in ((202, 401) if name == "X-Hub-Signature" else ((202,) if signed else (401,)))


def test_every_captured_and_every_hostile_body_is_acknowledged(long_lived: Sender, shared_data: Path) -> None:
    for path in sorted((shared_data / "jira" / "payloads").glob("*.json")):
        assert long_lived.send(path.read_bytes(), delivery=path.name).status_code == 202, path.name


def test_a_slow_sender_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from qa_agents.service import hooks

    monkeypatch.setattr(hooks, "READ_SECONDS", 0.01)

    class Slow:
        def __init__(self) -> None:
            self.headers: dict[str, str] = {}

        async def stream(self) -> Any:
            yield b"{"
            await asyncio.Event().wait()

    receiver = hooks.Receiver(settings_of(tmp_path), None, Metrics())  # type: ignore[arg-type]
    answer = asyncio.run(receiver._body(Slow()))  # type: ignore[arg-type]
    assert isinstance(answer, hooks.Answer)
    assert answer.status == 408


def test_what_the_shared_defaults_do_not_take_is_refused_whatever_it_is_signed_with(sender: Sender) -> None:
    large = b"x" * 25_000_000
    assert sender.send(large).status_code == 413
    assert 'outcome="too_large"} 1' in outcomes(sender)


def test_without_any_header_of_ours_nobody_is_recognised(sender: Sender) -> None:
    assert sender.client.post("/hooks/jira/main", content=event()).status_code == 401
    assert 'outcome="signature_missing"} 1' in outcomes(sender)


@pytest.mark.parametrize(
    ("until", "status"), [("2999-01-01T00:00:00Z", 202), ("2020-01-01T00:00:00Z", 401)], ids=["still counts", "ended"]
)
def test_while_secrets_are_exchanged_the_old_one_counts_until_its_end(
    start: Callable[..., Sender], until: str, status: int
) -> None:
    old = "the secret before this one"
    sender = start(hook={"secrets": [{"value": SECRET}, {"value": old, "until": until}]})
    assert sender.send(event(1), headers={"X-Hub-Signature": sign(event(1), "made up")}).status_code == 401
    body = event(2)
    assert sender.send(body, headers={"X-Hub-Signature": sign(body, old)}).status_code == status
    assert sender.send(event(3)).status_code == 202


def test_one_good_signature_among_several_is_enough(sender: Sender) -> None:
    body = event()
    several = f"sha1=00, sha256={'0' * 64}, {sign(body)}"
    assert sender.send(body, headers={"X-Hub-Signature": several}).status_code == 202


def test_every_secret_is_compared_in_constant_time_whichever_was_right(
    start: Callable[..., Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[Any] = []
    compare = hmac.compare_digest

    def counted(one: Any, other: Any) -> bool:
        compared.append(one)
        return compare(one, other)

    sender = start(hook={"secrets": [{"value": SECRET}, {"value": "another secret"}, {"value": "the third of them"}]})
    monkeypatch.setattr(hmac, "compare_digest", counted)
    body = event()
    for secret in (SECRET, "the third of them", "nobody's secret"):
        sender.send(body, headers={"X-Hub-Signature": sign(body, secret)})
    assert len(compared) == 9


def test_an_old_body_is_acknowledged_so_that_a_late_retry_is_not_lost(sender: Sender, workspace: Workspace) -> None:
    assert sender.send(event(timestamp=1_000)).status_code == 202
    assert workspace.intake.counts() == {"received": 1}


@pytest.mark.parametrize("left_out", ["timestamp", "webhookEvent", "user", "issue", "changelog"])
def test_what_a_body_leaves_out_is_no_matter_of_the_acknowledgement(sender: Sender, left_out: str) -> None:
    body = json.loads(event())
    del body[left_out]
    assert sender.send(json.dumps(body).encode()).status_code == 202


def test_a_burst_is_kept_whole_and_once_while_nobody_works_on_it(sender: Sender, workspace: Workspace) -> None:
    bodies = [event(issue) for issue in range(100)]
    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(lambda body: sender.send(body, delivery=None).status_code, bodies * 2))
    assert answers == [202] * 200
    assert workspace.intake.counts() == {"received": 100}


def test_the_log_never_repeats_a_body(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="qa_agents"):
        sender.send(b"a private sentence", headers={"X-Hub-Signature": "sha256=" + "0" * 64})
        sender.send(b"another private sentence")
    assert "signature_wrong" in caplog.text
    assert "private sentence" not in caplog.text


class Ended:
    """A request whose sender went away, or came where there is no room."""

    def __init__(self, *pieces: bytes) -> None:
        self.headers = {"x-hub-signature": sign(b"".join(pieces))}
        self.client = None
        self._pieces = pieces

    async def stream(self) -> Any:
        for piece in self._pieces:
            yield piece
        if not self._pieces:
            raise ClientDisconnect


class FullQueue:
    """A writer with too much to do."""

    def submit(self, _: object) -> Any:
        raise OverloadedError("Too much waits.")


@pytest.mark.parametrize(("pieces", "status"), [((), 400), ((b"{}",), 503)], ids=["cut off", "no room"])
def test_what_was_cut_off_and_what_there_is_no_room_for_is_not_acknowledged(
    tmp_path: Path, pieces: tuple[bytes, ...], status: int
) -> None:
    from qa_agents.service import hooks

    receiver = hooks.Receiver(settings_of(tmp_path), FullQueue(), Metrics())  # type: ignore[arg-type]
    answer = asyncio.run(receiver.receive("webhook", "main", Ended(*pieces)))  # type: ignore[arg-type]
    assert answer.status == status


def test_the_openapi_document_names_every_answer(sender: Sender) -> None:
    document = json.loads(sender.client.get("/openapi.json").text)
    assert {"/hooks/jira/{source}", "/hooks/automation/{source}", "/healthz", "/readyz", "/metrics"} <= set(
        document["paths"]
    )
    assert {"202", "401", "413", "503"} <= set(document["paths"]["/hooks/jira/{source}"]["post"]["responses"])
    page = sender.client.get("/docs").text
    assert "/hooks/jira/" in page
    assert "http://" not in page
    assert "https://" not in page
