"""What the gateway keeps in the workspace's database, on both engines: spending, answers, abilities."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from qa_agents.llm.ability import Abilities, Probe
from qa_agents.llm.budget import KEPT_DAYS, Budget, priced
from qa_agents.llm.endpoint import Reply
from qa_agents.llm.faults import Fault
from qa_agents.llm.kept import DAY, Kept, KeptAnswers
from qa_agents.llm.schema import Mode
from qa_agents.llm.structured import wire_schema
from qa_agents.settings import ModelSettings
from qa_agents.storage.engine import Database
from tests.unit.llm.conftest import question

BOTH_ENGINES = True
NOON = 1_800_000_000.0


def settings(**changes: object) -> ModelSettings:
    return ModelSettings.model_validate({"base_url": "http://127.0.0.1:9/v1", "fast": "m", **changes})


def test_many_at_once_never_spend_more_than_the_day_allows(db: Database) -> None:
    limited = settings(tokens_per_day=1_000)
    budget = Budget(db, limited, now=lambda: NOON)
    most = priced(limited, "m", 60, 40)

    def spend(number: int) -> bool:
        try:
            settle = budget.reserve(f"IN-{number}", most)
        except Fault:
            return False
        settle(most)
        return True

    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(spend, range(24)))
    assert sum(spent) == 10
    assert budget.today().tokens == 1_000


def test_a_new_day_begins_anew_and_a_subject_after_a_month(db: Database) -> None:
    now = NOON
    limited = settings(tokens_per_subject=100)
    budget = Budget(db, limited, now=lambda: now)
    most = priced(limited, "m", 100, 0)
    budget.reserve("IN-1", most)(most)
    now += DAY
    assert budget.today().tokens == 0
    with pytest.raises(Fault):
        budget.reserve("IN-1", most)
    now += KEPT_DAYS * DAY
    budget.reserve("IN-1", most)(most)
    assert budget.of_subject("IN-1").tokens == 100


def test_a_reservation_that_nobody_settles_stays_spent(db: Database) -> None:
    budget = Budget(db, settings(), now=lambda: NOON)
    budget.reserve("IN-1", priced(settings(), "m", 70, 30))
    assert Budget(db, settings(), now=lambda: NOON).today().tokens == 100


def test_an_answer_is_kept_for_so_many_days(db: Database) -> None:
    now = NOON
    kept = KeptAnswers(db, settings(cache_days=2), now=lambda: now)
    key = kept.key(question(), "m", wire_schema(Probe))
    answer = Kept(value={"middle": "amber", "lights": 3}, model="m", repaired=True)
    kept.keep(key, answer)
    kept.keep(key, answer)
    assert kept.get(key) == answer
    now += 3 * DAY
    assert kept.get(key) is None


def test_what_an_endpoint_can_do_is_remembered_by_endpoint_and_model(db: Database) -> None:
    asked: list[Mode] = []

    def ask(_messages: object, mode: Mode, _schema: object, _tokens: int) -> Reply:
        asked.append(mode)
        if mode == "json_schema":
            raise Fault("rejected", "No.", status=400)
        return Reply('{"middle": "amber", "lights": 3}', "m", 1, 1)

    assert Abilities(db, "http://a/v1").mode_of("m", ask) == "function_calling"
    assert Abilities(db, "http://a/v1").mode_of("m", ask) == "function_calling"
    assert asked == ["json_schema", "function_calling"]
    Abilities(db, "http://b/v1").mode_of("m", ask)
    Abilities(db, "http://a/v1").mode_of("other", ask)
    assert len(asked) == 6
    again = Abilities(db, "http://a/v1")
    again.forget("m")
    again.mode_of("m", ask)
    assert len(asked) == 8
