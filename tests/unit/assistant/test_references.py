"""“It”, “the second” and ids in any case."""

import pytest

from qa_agents.assistant.references import find, ordinals
from qa_agents.assistant.schema import Item, Memory

ITEMS = [Item(kind="review", id=f"rv-{number}") for number in range(1, 5)]
MEMORY = Memory(items=ITEMS, focus=Item(kind="report", id="IN-401"))


def known(token: str) -> Item | None:
    return Item(kind="incident", id=token) if token in ("WKB-1280", "WKB-1100") else None


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("show WKB-1280", ["WKB-1280"]),
        ("show wkb-1280.", ["WKB-1280"]),
        ("compare WKB-1280 and (WKB-1100)", ["WKB-1280", "WKB-1100"]),
        ("the second", ["rv-2"]),
        ("show the 3rd one", ["rv-3"]),
        ("#4", ["rv-4"]),
        ("the last one", ["rv-4"]),
        ("#9", []),
        ("why is it critical", ["IN-401"]),
        ("that one", ["IN-401"]),
        ("what waits", []),
        ("show NOPE-77", ["NOPE-77"]),
        ("see https://example.com/WKB-1280", []),
        ("in 4.27.1 and a.b-c", []),
    ],
)
def test_words_stand_for_things(text: str, ids: list[str]) -> None:
    assert [item.id for item in find(text, MEMORY, known)] == ids


def test_an_unknown_id_comes_with_the_kind_it_would_have() -> None:
    kinds = {item.id: item.kind for item in find("rv-00000000 IN-999 triage-0123456789ab", Memory(), known)}
    assert kinds == {"rv-00000000": "review", "IN-999": "report", "triage-0123456789ab": "run"}


def test_without_a_list_no_place_means_anything() -> None:
    assert ordinals("the second", []) == []
    assert find("it", Memory(), known) == []
