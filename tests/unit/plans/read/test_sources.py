"""Documents: offsets that always match, ids that come from content, and no bytes that break anything."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read import read_sources
from qa_agents.plans.read.child import answer
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.media import text_of
from qa_agents.plans.read.parse import parse
from qa_agents.plans.read.sources import document_of

PIECES = st.sampled_from(
    [
        "# ",
        "- ",
        "1. ",
        "| a | b |\n|---|---|\n",
        "```\n",
        "> ",
        "    ",
        "<table><tr><td>",
        "</td></tr></table>",
        "<!--",
        "-->",
        ":::",
        "---\n",
        "\n\n",
        "\n",
        "must ",
        "If ",
        "`",
        "a|b\n",
        "{%",
        "[x](y)",
        "<li>",
        "&amp;",
        "\t",
        "é",
        "𝒳",
        "\r\n",
        "\x00",
        "Given a\n",
        "Feature: x\n",
        "  Scenario: y\n",
        "openapi: 3.0.0\n",
        "paths:\n  /a:\n    get:\n",
        "&a ",
        "*a ",
        "{",
        "]",
    ]
)
NAMES = st.sampled_from(["a.md", "a.txt", "a.html", "a.yaml", "a.json", "a.feature", "-"])


@settings(max_examples=150, deadline=None)
@given(NAMES, st.lists(PIECES | st.text(max_size=20), max_size=30).map("".join))
def test_every_block_of_any_text_is_where_it_says(name: str, text: str) -> None:
    try:
        parsed = parse(name, text.encode("utf-8", "replace"), Limits())
    except InvalidInputError:
        return  # a sentence, which is the other thing that may come of it
    document = document_of(name, "0" * 64, parsed)
    for block in document.blocks:
        assert document.text[block.start : block.end] == block.text
        assert block.text.strip()
        assert document.text.count("\n", 0, block.start) + 1 == block.line_start
        assert block.line_start <= block.line_end
    assert len({block.id for block in document.blocks}) == len(document.blocks)


@settings(max_examples=150, deadline=None)
@given(
    NAMES,
    st.binary(max_size=200)
    | st.sampled_from([b"%PDF-", b"PK\x03\x04word/"]).flatmap(
        lambda lead: st.binary(max_size=99).map(lambda rest: lead + rest)
    ),
)
def test_no_bytes_end_in_anything_but_a_document_or_a_sentence(name: str, data: bytes) -> None:
    told = answer(name, data, Limits())
    assert "parsed" in told or str(told["error"]).strip()


@given(st.binary(max_size=100))
def test_bytes_always_become_text_without_carriage_returns_or_nul(data: bytes) -> None:
    text, _ = text_of("x", data)
    assert "\r" not in text
    assert "\x00" not in text
    text.encode("utf-8")


def test_several_files_are_read_by_one_process_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# B\n\nBells ring.\n")
    documents = read_sources([("-", b"Words.\n"), tmp_path / "b.md", ("c.md", b"# B\n\nBells ring.\n")])
    assert [document.source.name for document in documents] == ["-", "b.md"]
    assert documents[1].source.unread == ["c.md has the same content: read once."]
    assert documents[1].source.id == f"SRC-{documents[1].source.sha256[:12]}"


def test_an_empty_file_says_that_it_is_empty() -> None:
    assert read_sources([("a.md", b" \n")])[0].source.unread == ["The file holds no text."]


def test_the_same_blocks_keep_their_ids_when_others_come_and_go() -> None:
    first = read_sources([("a.md", b"# A\n\nOne.\n\nTwo.\n")])[0]
    second = read_sources([("a.md", b"# A\n\nNew.\n\nTwo.\n\nOne.\n")])[0]
    assert {block.id for block in first.blocks} < {block.id for block in second.blocks}
