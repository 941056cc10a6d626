"""The gateway against a scripted server: what it does with every kind of answer and every fault."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from qa_agents.errors import InvalidInputError
from qa_agents.llm.gateway import ModelRequestError, NoModel
from qa_agents.llm.kept import forget_answers
from qa_agents.llm.models import Models
from qa_agents.llm.schema import Call
from qa_agents.settings import ModelSettings
from qa_agents.storage.engine import Database
from qa_agents.testing.model_server import ALL_ABILITIES, Asked, ModelServer, Turn, fitting
from tests.unit.llm.conftest import Verdict, question

GOOD = {"word": "fine", "stars": 4}


def test_an_answer_of_the_shape_is_returned_with_what_it_took(
    server: ModelServer, models: Models, calls: list[Call]
) -> None:
    server.say(Turn.of(GOOD, model="scripted-2026"))
    answer = models.ask(question(), Verdict, budget_key="IN-1")
    assert answer.value == Verdict(word="fine", stars=4)
    assert (answer.reason, answer.repaired, answer.cached) == (None, False, False)
    assert answer.model == "scripted-2026"
    assert answer.usage.tokens > 0
    assert not answer.usage.estimated
    call = calls[-1]
    assert (call.subject, call.outcome, call.attempts, call.served) == ("IN-1", "answered", 1, "scripted-2026")
    assert call.input_tokens + call.output_tokens == answer.usage.tokens


def test_the_ledgers_record_holds_no_word_of_question_or_answer(
    server: ModelServer, models: Models, calls: list[Call]
) -> None:
    server.say(Turn.of({"word": "zanzibar", "stars": 1}), Turn("zanzibar"), Turn("zanzibar"))
    models.ask(question("xylophone"), Verdict, budget_key="IN-1")
    broken = models.ask(question("xylophone"), Verdict, budget_key="IN-1")
    written = " ".join(call.model_dump_json(exclude={"content_sha256"}) for call in calls) + broken.detail
    assert "xylophone" not in written
    assert "zanzibar" not in written


def test_an_answer_that_does_not_fit_is_repaired_once_and_marked(server: ModelServer, models: Models) -> None:
    server.say(Turn.of({"word": "fine", "stars": 9}), Turn.of(GOOD))
    answer = models.ask(question(), Verdict, budget_key="IN-1")
    assert answer.value is not None
    assert answer.repaired
    told = server.requests[-1].messages
    assert told[-2]["role"] == "assistant"
    assert "stars" in told[-1]["content"]
    assert "9" not in told[-1]["content"]


def test_a_second_answer_that_does_not_fit_is_no_answer(server: ModelServer, models: Models, calls: list[Call]) -> None:
    server.say(Turn.of({"word": "fine", "stars": 9}), Turn.of({"word": "fine", "stars": 0}))
    answer = models.ask(question(), Verdict, budget_key="IN-1")
    assert (answer.value, answer.reason, answer.repaired) == (None, "invalid", False)
    assert len(server.requests) == 2
    assert calls[-1].outcome == "invalid"


FAULTS = {
    "refused": Turn(refusal="I cannot help with that."),
    "withheld": Turn("", finish="content_filter"),
    "cut off at the limit": Turn('{"word": "fi', finish="length"),
    "empty": Turn(""),
    "blank": Turn("  \n "),
    "a call nobody offered": Turn("", calls="delete_everything"),
    "words": Turn("I think it is fine."),
    "another language of braces": Turn("{'word': 'fine'}"),
    "a wrong enum or type": Turn.of({"word": 4, "stars": "many"}),
    "more than was asked": Turn.of({**GOOD, "needs_human": False}),
    "very long": Turn("x" * 100_000),
    "not the protocol": Turn(raw=b"<html>busy</html>"),
    "nothing at all": Turn(raw=b""),
    "an object of another kind": Turn(raw=b'{"ok": true}'),
    "null choices": Turn(raw=b'{"id": "1", "choices": null}'),
    "a key that is not accepted": Turn(status=401),
    "a redirect": Turn(status=307, headers={"location": "http://169.254.169.254/latest"}),
    "a request it does not like": Turn(status=422),
    "a server error": Turn(status=501),
}
REASONS = {
    "refused": "refused",
    "withheld": "refused",
    "cut off at the limit": "truncated",
    "empty": "empty",
    "blank": "empty",
    "a call nobody offered": "tool-call",
    "words": "not-json",
    "another language of braces": "not-json",
    "a wrong enum or type": "invalid",
    "more than was asked": "invalid",
    "very long": "too-long",
    "not the protocol": "garbage",
    "nothing at all": "garbage",
    "an object of another kind": "garbage",
    "null choices": "garbage",
    "a key that is not accepted": "unauthorised",
    "a redirect": "unavailable",
    "a request it does not like": "rejected",
    "a server error": "unavailable",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_reason_and_never_an_error(
    fault: str, server: ModelServer, models: Models, calls: list[Call]
) -> None:
    server.answer = lambda asked: FAULTS[fault]
    answer = models.ask(question(), Verdict, budget_key="IN-1")
    assert answer.value is None
    assert answer.reason == REASONS[fault]
    assert answer.detail.endswith(".")
    assert calls[-1].outcome == REASONS[fault]


SHAPELESS = [
    fault for fault in FAULTS if REASONS[fault] not in ("not-json", "invalid", "too-long") and not FAULTS[fault].refusal
]
"""Text has no shape, and a refusal is text too."""


@pytest.mark.parametrize("fault", SHAPELESS)
def test_a_stream_ends_with_one_reason_and_never_with_an_error(
    fault: str, server: ModelServer, models: Models, calls: list[Call]
) -> None:
    server.answer = lambda asked: FAULTS[fault]
    stream = models.stream(question(), budget_key="IN-1")
    list(stream)
    if fault in ("not the protocol", "nothing at all", "an object of another kind", "null choices"):
        assert stream.reason in ("garbage", "truncated")
    elif fault == "blank":
        assert stream.reason is None
    else:
        assert stream.reason == REASONS[fault]
    assert calls[-1].outcome == (stream.reason or "answered")


def test_a_busy_endpoint_is_asked_again_as_late_as_it_says(
    server: ModelServer, models: Models, naps: list[float]
) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=9), usegmt=True)
    server.say(
        Turn(status=429, headers={"retry-after": "3"}), Turn(status=503, headers={"retry-after": soon}), Turn.of(GOOD)
    )
    assert models.ask(question(), Verdict, budget_key="IN-1").value
    assert naps[0] == 3.0
    assert 5.0 < naps[1] <= 9.0


def test_without_advice_the_wait_doubles(server: ModelServer, models: Models, naps: list[float]) -> None:
    server.say(Turn(status=500), Turn(status=429), Turn(status=502))
    answer = models.ask(question(), Verdict, budget_key="IN-1")
    assert answer.reason == "unavailable"
    assert naps == [0.25, 0.5]
    assert len(server.requests) == 3


def test_an_endpoint_that_asks_for_too_long_a_wait_is_gone_on_without(
    server: ModelServer, models: Models, naps: list[float]
) -> None:
    server.say(Turn(status=429, headers={"retry-after": "120"}))
    answer = models.ask(question(), Verdict, budget_key="IN-1")
    assert (answer.reason, naps) == ("unavailable", [])
    assert "120 seconds" in answer.detail


def test_a_connection_that_ends_within_the_answer_is_tried_again(server: ModelServer, models: Models) -> None:
    server.say(Turn.of(GOOD, cut=40), Turn.of(GOOD))
    assert models.ask(question(), Verdict, budget_key="IN-1").value


@pytest.mark.parametrize("turn", [Turn(hang=True), Turn(drip=True)], ids=["silent", "dripping"])
def test_an_answer_that_does_not_end_is_ended(
    turn: Turn, server: ModelServer, models_to: Callable[..., Models], models: Models
) -> None:
    impatient = models_to(server, timeout=0.3, tries=1)
    server.say(turn)
    assert impatient.ask(question(), Verdict, budget_key="IN-1").reason == "timeout"


def test_a_caller_who_gives_up_has_an_answer_at_once(server: ModelServer, models: Models) -> None:
    gone = threading.Event()

    def answer(asked: Asked) -> Turn:
        gone.set()
        return Turn(hang=True)

    server.answer = answer
    assert models.ask(question(), Verdict, budget_key="IN-1", cancelled=gone).reason == "cancelled"


def test_a_server_that_is_not_there_is_one_reason(models_to: Callable[..., Models]) -> None:
    with ModelServer() as gone:
        pass
    assert models_to(gone, tries=1).ask(question(), Verdict, budget_key="IN-1").reason == "unavailable"


def test_an_endpoint_that_keeps_failing_is_left_alone(server: ModelServer, models: Models) -> None:
    server.answer = lambda asked: Turn(status=501)
    reasons = [models.ask(question(), Verdict, budget_key="IN-1").reason for _ in range(6)]
    assert reasons == ["unavailable"] * 4 + ["circuit-open"] * 2
    assert len(server.requests) == 4


def test_a_key_that_is_not_accepted_is_not_tried_again(server: ModelServer, models: Models) -> None:
    server.answer = lambda asked: Turn(status=401)
    reasons = [models.ask(question(), Verdict, budget_key="IN-1").reason for _ in range(2)]
    assert reasons == ["unauthorised", "circuit-open"]


def test_an_answer_that_is_no_use_says_nothing_about_the_endpoint(server: ModelServer, models: Models) -> None:
    server.answer = lambda asked: Turn("words")
    reasons = {models.ask(question(), Verdict, budget_key="IN-1").reason for _ in range(6)}
    assert reasons == {"not-json"}


def test_more_questions_at_once_than_are_allowed_are_turned_away(
    server: ModelServer, models_to: Callable[..., Models]
) -> None:
    impatient, patient = models_to(server, timeout=0.3), models_to(server, concurrency=1)
    entered, leave = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Turn:
        entered.set()
        leave.wait()
        return fitting(asked)

    server.answer = answer
    impatient._line._places = patient._line._places
    first = threading.Thread(target=lambda: patient.ask(question(), Verdict, budget_key="IN-1"))
    first.start()
    entered.wait()
    assert impatient.ask(question("another"), Verdict, budget_key="IN-2").reason == "busy"
    leave.set()
    first.join()
    assert patient.ask(question("another"), Verdict, budget_key="IN-2").reason is None


class TestWaysOfAsking:
    """JSON schema, else a forced function, else JSON mode: found once, kept in the workspace."""

    @pytest.mark.parametrize("unable", [400, 500])
    @pytest.mark.parametrize(
        ("lacking", "found"),
        [((), "json_schema"), (("json_schema",), "function_calling"), (("json_schema", "tools"), "json_mode")],
    )
    def test_the_surest_that_works_is_found(
        self, lacking: tuple[str, ...], found: str, unable: int, models_to: Callable[..., Models]
    ) -> None:
        with ModelServer(abilities=ALL_ABILITIES - set(lacking), unable=unable) as server:
            models = models_to(server)
            assert models.ask(question(), Verdict, budget_key="IN-1").value == Verdict(word="x", stars=1)
            assert models.probe() == (found, "")

    def test_one_that_is_accepted_but_not_heeded_is_passed_over(self, models_to: Callable[..., Models]) -> None:
        with ModelServer(ignores=frozenset({"json_schema", "tools"})) as server:
            assert models_to(server).probe() == ("json_mode", "")

    def test_an_endpoint_that_can_do_none_is_said_to_refuse(self, models_to: Callable[..., Models]) -> None:
        with ModelServer(abilities=frozenset()) as server:
            models = models_to(server)
            assert models.ask(question(), Verdict, budget_key="IN-1").reason == "rejected"
            assert models.probe()[0] is None

    def test_it_is_asked_once_per_workspace(self, server: ModelServer, models_to: Callable[..., Models]) -> None:
        for _ in range(2):
            models_to(server).ask(question(), Verdict, budget_key="IN-1")
        assert len(server.requests) == 3

    def test_an_outage_teaches_nothing(self, server: ModelServer, models_to: Callable[..., Models]) -> None:
        models = models_to(server, tries=1)
        server.say(Turn(status=503))
        assert models.ask(question(), Verdict, budget_key="IN-1").reason == "unavailable"
        assert models.probe()[0] == "json_schema"


class TestBudgets:
    """Tokens and money per subject and day, in the workspace's database."""

    def test_a_subject_whose_tokens_are_spent_is_not_asked_about(
        self, server: ModelServer, models_to: Callable[..., Models], models: Models
    ) -> None:
        tight = models_to(server, tokens_per_subject=300)
        outcomes = [tight.ask(question(), Verdict, budget_key="IN-7").reason for _ in range(30)]
        assert outcomes[0] is None
        assert outcomes[-1] == "over-budget"
        assert tight.budget.of_subject("IN-7").tokens <= 300
        assert tight.ask(question(), Verdict, budget_key="IN-8").reason is None

    def test_the_days_money_holds_across_restarts(
        self, server: ModelServer, models_to: Callable[..., Models], models: Models
    ) -> None:
        prices = {"scripted": {"input": 1000, "output": 1000}}
        limits = {"prices": prices, "money_per_day": 0.5}
        reasons = [models_to(server, **limits).ask(question(), Verdict, budget_key=f"IN-{n}").reason for n in range(30)]
        assert reasons[0] is None
        assert reasons[-1] == "over-budget"
        assert models_to(server, **limits).budget.today().cost <= 0.5

    def test_what_was_set_aside_is_given_back(self, server: ModelServer, models: Models) -> None:
        before = models.budget.today().tokens
        answer = models.ask(question(), Verdict, budget_key="IN-1")
        assert models.budget.of_subject("IN-1").tokens == answer.usage.tokens
        assert models.budget.today().tokens == before + answer.usage.tokens

    def test_where_the_endpoint_does_not_say_it_is_reckoned(self, server: ModelServer, models: Models) -> None:
        server.say(Turn.of(GOOD, usage=False))
        answer = models.ask(question(), Verdict, budget_key="IN-1")
        assert answer.usage.estimated
        assert answer.usage.tokens > 0

    def test_limits_of_money_need_prices(self) -> None:
        with pytest.raises(ValueError, match="need prices"):
            ModelSettings(base_url="https://models.example/v1", fast="m", money_per_day=1)


class TestKept:
    """The very same question is asked once."""

    def test_a_kept_answer_costs_nothing_and_is_on_record(
        self, server: ModelServer, models_to: Callable[..., Models], calls: list[Call]
    ) -> None:
        keeping = models_to(server, cache_days=1)
        first = keeping.ask(question(), Verdict, budget_key="IN-1")
        server.answer = lambda asked: Turn(status=500)
        second = keeping.ask(question(), Verdict, budget_key="IN-2")
        assert second.value == first.value
        assert (second.cached, second.usage.tokens) == (True, 0)
        assert (calls[-1].cached, calls[-1].attempts, calls[-1].subject) == (True, 0, "IN-2")

    def test_another_question_or_model_is_asked_anew(
        self, server: ModelServer, models_to: Callable[..., Models]
    ) -> None:
        keeping = models_to(server, cache_days=1, strong="other")
        keeping.ask(question("one"), Verdict, budget_key="IN-1")
        assert not keeping.ask(question("two"), Verdict, budget_key="IN-1").cached
        assert not keeping.ask(question("one"), Verdict, role="strong", budget_key="IN-1").cached

    def test_that_it_was_repaired_is_not_forgotten(self, server: ModelServer, models_to: Callable[..., Models]) -> None:
        keeping = models_to(server, cache_days=1)
        keeping.probe()
        server.say(Turn("words"), Turn.of(GOOD))
        assert keeping.ask(question(), Verdict, budget_key="IN-1").repaired
        again = keeping.ask(question(), Verdict, budget_key="IN-1")
        assert (again.cached, again.repaired) == (True, True)

    def test_erasing_a_report_forgets_every_kept_answer(
        self, server: ModelServer, models_to: Callable[..., Models], db: Database
    ) -> None:
        keeping = models_to(server, cache_days=1)
        keeping.ask(question(), Verdict, budget_key="IN-1")
        with db.write() as connection:
            assert forget_answers(connection) == 1
        assert not keeping.ask(question(), Verdict, budget_key="IN-1").cached


class TestStreams:
    """Text as it is written."""

    def test_it_comes_in_pieces_and_is_complete(self, server: ModelServer, models: Models, calls: list[Call]) -> None:
        server.say(Turn("Deposits were stuck twice before. [1]"))
        stream = models.stream(question(), budget_key="thread-1")
        pieces = list(stream)
        assert "".join(pieces) == "Deposits were stuck twice before. [1]"
        assert len(pieces) > 3
        assert stream.reason is None
        assert stream.usage.tokens > 0
        assert calls[-1].outcome == "answered"

    def test_a_cut_is_told_after_what_came(self, server: ModelServer, models: Models) -> None:
        server.say(Turn("Deposits were stuck twice before.", cut=3))
        stream = models.stream(question(), budget_key="thread-1")
        assert "".join(stream) == "Deposits were "
        assert stream.reason in ("truncated", "unavailable")

    def test_it_is_begun_anew_only_before_anything_was_shown(self, server: ModelServer, models: Models) -> None:
        server.say(Turn(status=503), Turn("whole"))
        assert "".join(models.stream(question(), budget_key="thread-1")) == "whole"

    def test_it_can_be_stopped(self, server: ModelServer, models: Models, calls: list[Call]) -> None:
        server.say(Turn("word " * 200))
        stream = models.stream(question(), budget_key="thread-1")
        for _ in stream:
            stream.close()
        assert stream.reason == "cancelled"
        assert calls[-1].outcome == "cancelled"

    def test_it_can_be_stopped_while_the_endpoint_is_silent(
        self, server: ModelServer, models: Models, calls: list[Call]
    ) -> None:
        server.say(Turn(hang=True))
        gone = threading.Event()
        stream = models.stream(question(), budget_key="thread-1", cancelled=gone)
        threading.Timer(0.2, gone.set).start()
        assert list(stream) == []
        assert stream.reason == "cancelled"
        assert calls[-1].outcome == "cancelled"

    def test_one_that_is_dropped_is_still_on_record(
        self, server: ModelServer, models: Models, calls: list[Call]
    ) -> None:
        server.say(Turn("word " * 200))
        pieces = iter(models.stream(question(), budget_key="thread-1"))
        next(pieces)
        del pieces
        assert calls[-1].outcome == "cancelled"
        assert calls[-1].output_tokens > 0


class TestEgress:
    """What leaves, and where to."""

    def test_a_model_beyond_this_machine_is_never_asked_by_a_test(self, db: Database) -> None:
        far = Models(ModelSettings(base_url="https://models.example/v1", fast="m"), db, lambda call: None)
        with pytest.raises(ModelRequestError):
            far.ask(question(), Verdict, budget_key="IN-1")
        with pytest.raises(ModelRequestError):
            far.stream(question(), budget_key="IN-1")
        with pytest.raises(ModelRequestError):
            far.probe()

    def test_a_redirect_is_not_followed(self, server: ModelServer, models: Models) -> None:
        with ModelServer() as elsewhere:
            server.say(Turn(status=308, headers={"location": f"{elsewhere.base_url}/chat/completions"}))
            assert models.ask(question(), Verdict, budget_key="IN-1").reason == "unavailable"
            assert elsewhere.requests == []

    def test_proxies_and_keys_of_the_environment_are_not_used(
        self, server: ModelServer, models_to: Callable[..., Models], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with ModelServer() as elsewhere:
            for name in (
                "HTTP_PROXY",
                "HTTPS_PROXY",
                "ALL_PROXY",
                "OPENAI_PROXY",
                "OPENAI_BASE_URL",
                "OPENAI_API_BASE",
            ):
                monkeypatch.setenv(name, elsewhere.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
            models = models_to(server)
            assert models.ask(question(), Verdict, budget_key="IN-1").value
            assert elsewhere.requests == []
        sent = {name.lower(): value for name, value in server.requests[-1].headers.items()}
        assert sent["authorization"] == "Bearer none"

    def test_a_secret_in_a_prompt_made_by_hand_does_not_leave(self, server: ModelServer, models: Models) -> None:
        secret = "ghp_" + "a1B2" * 9
        models.ask(question(f"the token is {secret}, mail to ada@example.com"), Verdict, budget_key="IN-1")
        list(models.stream(question(f"token {secret}"), budget_key="IN-1"))
        assert server.requests
        assert all(secret not in asked.text and "ada@example.com" not in asked.text for asked in server.requests)

    def test_the_key_is_sent_and_never_shown(self, server: ModelServer, models_to: Callable[..., Models]) -> None:
        models = models_to(server, api_key="sk-very-secret")
        models.ask(question(), Verdict, budget_key="IN-1")
        sent = {name.lower(): value for name, value in server.requests[-1].headers.items()}
        assert sent["authorization"] == "Bearer sk-very-secret"
        assert "very-secret" not in repr(models.settings)


def test_without_a_model_every_question_has_that_reason() -> None:
    none = NoModel()
    assert none.ask(question(), Verdict, budget_key="IN-1").reason == "no-model"
    stream = none.stream(question(), budget_key="IN-1")
    assert (list(stream), stream.reason) == ([], "no-model")
    assert not none.allows("triage.facts")


def test_a_use_that_does_not_exist_is_refused(db: Database) -> None:
    settings = ModelSettings(base_url="http://127.0.0.1:9/v1", fast="m", uses={"triage.everything": True})
    with pytest.raises(InvalidInputError, match=r"triage\.everything"):
        Models(settings, db, lambda call: None)


def test_azure_is_asked_in_its_own_way(server: ModelServer, models_to: Callable[..., Models]) -> None:
    address = server.base_url.removesuffix("/v1")
    models = models_to(server, base_url=address, azure_api_version="2024-10-21", api_key="azure-key")
    assert models.ask(question(), Verdict, budget_key="IN-1").value
    sent = {name.lower(): value for name, value in server.requests[-1].headers.items()}
    assert sent["api-key"] == "azure-key"
