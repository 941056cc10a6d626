"""The checker itself: every promise that is broken on purpose is noticed, and by its own number."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.crash.conftest import Tally
from tests.crash.crash_driver import Home, run
from tests.crash.history import chain_breaks, read, violations
from tests.crash.workloads import REPORT, SECRETS, approve, edit

ISSUE = f"{REPORT['id']}.json"


def sql(*statements: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        with closing(sqlite3.connect(folder / "qa-agents.db")) as raw, raw:
            for statement in statements:
                assert raw.execute(statement).rowcount, statement

    return damage


def issue(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "tracker" / ISSUE
        record = json.loads(path.read_text())
        change(record["history"])
        path.write_text(json.dumps(record))

    return damage


def unplanned(history: list[dict[str, Any]]) -> None:
    history.append({**history[-1], "key": "f" * 64, "params": {"text": "send money"}})


DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a report is forgotten": ("I1", sql("DELETE FROM reports")),
    "a report waits for nobody": ("I1", sql("UPDATE reports SET state = 'waiting'")),
    "a change was made twice": ("I2", issue(lambda history: history.append(history[-1]))),
    "a change was made under another key": (
        "I2",
        issue(lambda history: history.append({**history[-1], "key": "a" * 64})),
    ),
    "a change nobody planned": ("I3", issue(unplanned)),
    "a change nobody approved": ("I3", sql("UPDATE reviews SET state = 'pending', decision = NULL")),
    "another change than shown": ("I3", sql("UPDATE reviews SET shown = '{\"actions\": []}'")),
    "an approval is not on record": ("I3", sql("UPDATE ledger SET event = 'noted' WHERE event = 'decided'")),
    "an approval is left lying": ("I4", sql("UPDATE actions SET state = 'planned' WHERE position = 2")),
    "an approved change was never planned": ("I4", sql("DELETE FROM actions WHERE position = 2")),
    "the ledger was edited": ("I5", sql("UPDATE ledger SET actor = 'mallory' WHERE seq = 3")),
    "the ledger lost its middle": ("I5", sql("DELETE FROM ledger WHERE seq = 3")),
    "the ledger invents an effect": ("I5", issue(lambda history: history.pop())),
    "a secret in the ledger": ("I6", sql(f"UPDATE ledger SET subject = '{SECRETS[0]}' WHERE seq = 2")),
    "a secret in the tracker": ("I6", issue(lambda history: history[0].update(because=SECRETS[1]))),
    "a report is left over": ("I7", sql("UPDATE reports SET state = 'failed'")),
    "an effect while stopped": ("I8", sql("UPDATE ledger SET event = 'stopped' WHERE event = 'decided'")),
    "a rejected change was made": (
        "I9",
        sql("UPDATE reviews SET decision = json_replace(decision, '$.verdict', 'reject')"),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_promise_is_noticed_by_its_number(
    damage: str, stages: dict[str, Home], ground: Path, tally: Tally
) -> None:
    start = stages["done"]
    if start.engine != "sqlite":
        pytest.skip("the checker reads both engines alike; it is damaged on one")
    promise, spoil = DAMAGES[damage]
    if damage == "a change was made under another key":
        promise = "I3"  # the key is nobody's
    with start.copy(ground / f"checker-{damage.replace(' ', '-')}") as home:
        assert violations(read(home.folder), secrets=SECRETS) == []
        spoil(home.folder)
        found = violations(read(home.folder), secrets=SECRETS)
        assert any(sentence.startswith(promise) for sentence in found), found


def test_both_engines_are_read_alike(stages: dict[str, Home], ground: Path, tally: Tally) -> None:
    with stages["waiting"].copy(ground / f"alike-{stages['waiting'].engine}") as home:
        run(edit, home)
        tally.check(home)
        run(approve, home)
        from tests.postgres import url_of

        history = read(home.folder, url_of(home.database) if home.database else None)
        assert list(chain_breaks(history.ledger)) == []
        assert {"received", "review_opened", "decided", "action_done", "recorded"} <= {
            e["event"] for e in history.ledger
        }
        assert len(history.effects[str(REPORT["id"])]) > 3
