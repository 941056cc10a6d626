"""Wiki markup and documents as text, and text as markup that does nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.trackers.jira_text import MAX_CHARS, inert, plain

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=300)
MARKUP = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", "|", "!", "~", "\\", "&#91;", "{code}", "h1. ", "\n", "http://", "a", " ", "^", "bq. "]
    ),
    max_size=60,
).map("".join)


@given(TEXT | MARKUP)
def test_what_is_written_is_what_is_read(words: str) -> None:
    assert plain(inert(words)) == words


@given(TEXT | MARKUP)
def test_nothing_that_begins_live_markup_is_left(words: str) -> None:
    marked = inert(words)
    assert not set("{}[]!|\\~^<>") & set(marked)
    assert "://" not in marked or not any(f"{c}://" in marked for c in "abcdefghijklmnopqrstuvwxyz0123456789")


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("h2. Steps\n# ring", "Steps\n# ring"),
        ("[the log|https://wickerbell.test/log]", "the log (https://wickerbell.test/log)"),
        ("[~accountid:5b1] and [~mia]", "@5b1 and @mia"),
        ("{code:java}x = 1{code} {color:red}red{color}", "x = 1 red"),
        ("!bell.png|thumbnail!", "(image bell.png)"),
        ("a\\[b\\] &#123;c&#125;", "a[b] {c}"),
        ("wow! such! bell", "wow! such! bell"),
        ("broken {code [x| !", "broken {code [x| !"),
        ("one\r\ntwo", "one\ntwo"),
    ],
)
def test_markup_is_read_as_people_see_it(markup: str, words: str) -> None:
    assert plain(markup) == words


def test_a_document_is_read_in_order() -> None:
    def node(kind: str, *content: object, **more: object) -> dict[str, object]:
        return {"type": kind, "content": list(content), **more}

    def words(said: str) -> dict[str, object]:
        return {"type": "text", "text": said}

    document = node(
        "doc",
        node("paragraph", words("It rings "), {"type": "mention", "attrs": {"text": "@mia"}}),
        node("bulletList", node("listItem", node("paragraph", words("twice")))),
    )
    assert plain(document) == "It rings @mia\ntwice"


@pytest.mark.parametrize(
    "body", [None, 7, [], {}, {"type": "doc", "content": "x"}, {"type": "doc", "content": [None, 3]}]
)
def test_what_is_no_body_is_empty(body: object) -> None:
    assert plain(body) == ""


def test_hostile_bodies_are_cut_and_cost_no_more_than_their_length() -> None:
    deep: dict[str, object] = {"type": "text", "text": "x"}
    for _ in range(5_000):
        deep = {"type": "blockquote", "content": [deep]}
    assert plain(deep) == ""
    for hostile in ("{color:" * 60_000, "[" * 200_000, "[a|" * 90_000, "!a" * 150_000, "\\" * 200_000, "&#" * 150_000):
        assert len(plain(hostile)) <= MAX_CHARS
