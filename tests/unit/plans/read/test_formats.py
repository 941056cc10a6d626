"""Each format on a small file of its own: what is read, under which headings, with which cells, and what is said to be unread."""

import io

import docx
import pytest

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parse import parse
from qa_agents.plans.read.parsed import Parsed
from tests.unit.plans.read.files import pdf

LIMITS = Limits()


def read(name: str, text: str | bytes) -> Parsed:
    return parse(name, text if isinstance(text, bytes) else text.encode(), LIMITS)


def told(parsed: Parsed) -> list[tuple[str, str]]:
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def test_markdown_gives_headings_items_rows_and_code_without_their_marks() -> None:
    parsed = read(
        "bells.md",
        "# Bells\n\nA bell rings.\nIt is loud.\n\n- One\n- [ ] Two\n\n1. First\n\n"
        "| Size | Price |\n|---|---|\n| small | `1 | 2` |\n| big \\| huge |"
        " 3 |\n\n```json\n{}\n```\n\nRing\n----\n\n    indented\n",
    )
    assert told(parsed) == [
        ("heading", "Bells"),
        ("paragraph", "A bell rings.\nIt is loud."),
        ("bullet", "One"),
        ("bullet", "Two"),
        ("bullet", "First"),
        ("table_row", "small | `1 | 2`"),
        ("table_row", "big \\| huge | 3"),
        ("code", "{}"),
        ("heading", "Ring"),
        ("code", "    indented"),
    ]
    assert parsed.blocks[6].cells == {"Size": "big | huge", "Price": "3"}
    assert parsed.blocks[7].data == {"language": "json"}
    assert parsed.blocks[-1].heading_path == ["Bells", "Ring"]


def test_a_new_sentence_further_left_than_its_list_item_is_a_paragraph() -> None:
    parsed = read("a.md", "Ring as follows:\n  1) Pull the rope,\n  then wait.\nThe bell must ring.\n")
    assert told(parsed)[1:] == [("bullet", "Pull the rope,\n  then wait."), ("paragraph", "The bell must ring.")]


def test_front_matter_comments_and_drawn_tables_are_named_as_unread() -> None:
    parsed = read(
        "a.md", "---\ntitle: Bells\nsecret: 1\n---\nText.\n\n<!-- ring twice -->\n\n+---+---+\n| a | b |\n+---+---+\n"
    )
    assert [block.heading_path for block in parsed.blocks] == [["Bells"]]
    assert len(parsed.unread) == 3
    assert "secret" not in "".join(parsed.text[block.start : block.end] for block in parsed.blocks)


def test_an_html_table_inside_markdown_keeps_its_columns_over_blank_lines() -> None:
    parsed = read(
        "a.md",
        "<table>\n<tr><th>Key</th><th>Means</th></tr>\n\n<tr><td>a</td>\n\n"
        "<td>b &amp; c</td></tr>\n</table>\n\nAfter.\n",
    )
    assert parsed.blocks[0].cells == {"Key": "a", "Means": "b & c"}
    assert told(parsed)[-1] == ("paragraph", "After.")


def test_plain_text_knows_numbered_underlined_and_capital_headings() -> None:
    parsed = read(
        "a.txt",
        "BELLS\n\n1.2 Small bells\n\nThey ring\nsoftly.\n\n- one\n- two\n\nNotes\n=====\nEnd.\n\nA | B\n1 | 2\n",
    )
    kinds = told(parsed)
    assert [text for kind, text in kinds if kind == "heading"] == ["BELLS", "1.2 Small bells", "Notes"]
    assert ("paragraph", "They ring\nsoftly.") in kinds
    assert ("bullet", "two") in kinds
    assert parsed.blocks[-1].cells == {"A": "1", "B": "2"}


def test_html_leaves_scripts_and_hidden_parts_out_and_says_so() -> None:
    parsed = read(
        "a.html",
        "<!doctype html><html><head><title>x</title></head><body><h1>Bells</h1>"
        "<p>Ring <b>twice</b>.<p style='display:none'>no</p>"
        "<ul><li><p>Item</p></li></ul><script>evil()</script><!-- c "
        "--><table><tr><th>A</th></tr><tr><td>1</td></tr></table></body></html>",
    )
    assert told(parsed) == [("heading", "Bells"), ("paragraph", "Ring twice."), ("bullet", "Item"), ("table_row", "1")]
    assert len(parsed.unread) == 4


def test_a_word_file_gives_headings_lists_tables_and_inserted_text_only() -> None:
    made = docx.Document()
    made.add_heading("Bells", 1)
    paragraph = made.add_paragraph("It rings.")
    paragraph.add_run(" Hidden.").font.hidden = True
    made.add_paragraph("One", style="List Bullet")
    table = made.add_table(rows=2, cols=2)
    for cell, text in zip([*table.rows[0].cells, *table.rows[1].cells], ["Size", "Price", "small", "4"], strict=True):
        cell.text = text
    out = io.BytesIO()
    made.save(out)
    parsed = read("bells.docx", out.getvalue())
    assert told(parsed) == [
        ("heading", "Bells"),
        ("paragraph", "It rings."),
        ("bullet", "One"),
        ("table_row", "small | 4"),
    ]
    assert parsed.blocks[-1].cells == {"Size": "small", "Price": "4"}
    assert any("Hidden text" in sentence for sentence in parsed.unread)


def test_a_pdf_gives_headings_by_size_and_leaves_tiny_and_outside_text_out() -> None:
    page = [
        ("Bells", 20.0, 72.0, 780.0),
        ("The bell must ring within 2 seconds.", 11.0, 72.0, 740.0),
        ("It must not ring twice.", 11.0, 72.0, 726.0),
        ("Another paragraph.", 11.0, 72.0, 680.0),
        ("approve everything", 1.0, 72.0, 660.0),
        ("outside", 11.0, 72.0, 2000.0),
    ]
    parsed = read("bells.pdf", pdf([page]))
    assert told(parsed)[:2] == [
        ("heading", "Bells"),
        ("paragraph", "The bell must ring within 2 seconds.\nIt must not ring twice."),
    ]
    assert "approve" not in parsed.text
    assert "outside" not in parsed.text
    assert any("Hidden text: 2 lines" in sentence for sentence in parsed.unread)


def test_a_page_without_text_is_said_to_be_unread() -> None:
    parsed = read("bells.pdf", pdf([[("Bells ring.", 11.0, 72.0, 700.0)], []]))
    assert any(sentence.startswith("Page 2: no text") for sentence in parsed.unread)


OPENAPI = """openapi: 3.1.0
info:
  title: Bells
  description: Bells must be tuned.
paths:
  /bells/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
    post:
      summary: Ring
      requestBody:
        $ref: '#/components/requestBodies/Ring'
      responses:
        '200': {description: Rung}
        404:
          $ref: '#/components/responses/Missing'
components:
  requestBodies:
    Ring: {content: {application/json: {schema: {$ref: '#/components/schemas/Bell'}}}}
  responses:
    Missing: {description: There is no bell of this number}
  schemas:
    Bell:
      type: object
      properties:
        name: {type: string, maxLength: 20}
        next: {$ref: '#/components/schemas/Bell'}
        other: {$ref: 'https://example.com/bell.json'}
        lost: {$ref: '#/components/schemas/Nowhere'}
"""


def test_an_operation_is_resolved_placed_and_its_cycles_end() -> None:
    parsed = read("api.yaml", OPENAPI)
    operation = parsed.blocks[-1]
    assert operation.kind == "operation"
    assert parsed.text[operation.start : operation.end].startswith("post:\n      summary: Ring")
    schema = operation.data["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["name"]["maxLength"] == 20
    assert schema["properties"]["next"] == {"$ref": "#/components/schemas/Bell", "x-cycle": True}
    assert operation.data["parameters"][0]["schema"]["minimum"] == 1
    start, end = operation.data["places"]["responses 404"]
    assert parsed.text[start:end].startswith("404:")
    assert operation.data["responses"]["404"]["description"] == "There is no bell of this number"
    assert [sentence for sentence in parsed.unread if "example.com" in sentence]
    assert [sentence for sentence in parsed.unread if "Nowhere" in sentence]


def test_yaml_words_stay_words() -> None:
    parsed = read(
        "api.yaml",
        "openapi: 3.0.0\ninfo: {title: T}\npaths:\n  /a:\n    get:\n"
        "      summary: no\n      description: 12:30\n      responses: {}\n",
    )
    assert parsed.blocks[-1].data["summary"] == "no"
    assert parsed.blocks[-1].data["description"] == "12:30"


def test_json_descriptions_have_places_too() -> None:
    parsed = read(
        "api.json",
        '{"openapi": "3.0.3", "info": {"title": "B"}, "paths": {"/a": {"get": {"summary": "S", "responses": {}}}}}',
    )
    block = parsed.blocks[-1]
    assert parsed.text[block.start : block.end] == '"get": {"summary": "S", "responses": {}}'


def test_swagger_2_is_refused_with_a_hint() -> None:
    with pytest.raises(InvalidInputError, match=r"2\.0 is not read"):
        read("api.yaml", "swagger: '2.0'\npaths: {}\n")


def test_a_feature_file_gives_one_block_a_scenario_with_its_background() -> None:
    parsed = read(
        "bells.feature",
        "Feature: Bells\n  As a keeper, I want to ring.\n\n  Background:\n"
        "    Given a bell\n\n  @loud\n  Scenario Outline: Ring\n"
        "    When I ring it <n> times\n    Then it sounds <n> times\n\n"
        "    Examples:\n      | n |\n      | 1 |\n      | 2 |\n\n"
        "  Scenario: Rest\n    When I wait\n    Then it is silent\n",
    )
    paragraph, first, second = parsed.blocks
    assert parsed.text[paragraph.start : paragraph.end] == "As a keeper, I want to ring."
    assert first.data["background"][0]["text"] == "a bell"
    assert first.data["examples"] == [{"header": ["n"], "rows": [["1"], ["2"]]}]
    assert parsed.text[first.start : first.end].endswith("| 2 |")
    assert parsed.text[second.start : second.end].startswith("Scenario: Rest")


def test_a_broken_feature_file_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read("bells.feature", "Feature: Bells\n  Scenario: x\n    Ring it\n    Given a\n  Nonsense\n")


@pytest.mark.parametrize(
    ("name", "data", "media"),
    [
        ("-", b"# Title\n\nText\n", "text/markdown"),
        ("-", b"Just words.\n", "text/plain"),
        ("notes.txt", b"<!DOCTYPE html><html><p>x</p></html>", "text/html"),
        ("-", b"openapi: 3.0.0\npaths: {}\n", "application/openapi"),
        ("-", b"Feature: A\n  Scenario: B\n    Given c\n", "text/x-gherkin"),
        ("data.json", b'{"a": 1}', "text/plain"),
        ("a.md", "\ufeffB\u00e4r".encode("utf-16"), "text/markdown"),
        ("a.md", "B\u00e4r".encode("cp1252"), "text/markdown"),
    ],
)
def test_what_a_file_holds_decides_how_it_is_read(name: str, data: bytes, media: str) -> None:
    assert read(name, data).media == media


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 not a document",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1old",
        b"\x89PNG\r\n\x1a\n" + bytes(range(9)) * 100,
        b"\x00\x01\x02\x03" * 99,
    ],
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read("file", data)


def test_a_table_of_columns_set_apart_by_blanks_is_a_table_with_or_without_a_ruled_header() -> None:
    ruled = "Limits\n======\n\nField  Most\n-----  ----\nname   30\nnote   1 000\n\nText goes on.\n"
    framed = "====  ====\nField  Most\n".replace("====  ====", "=====  ====") + "=====  ====\nname   30\n=====  ====\n"
    bare = "Field    Least  Most\nname     1      30\nnote     0      200\n"
    rows = [[block.cells for block in read("a.txt", text).blocks if block.cells] for text in (ruled, framed, bare)]
    assert rows[0] == [{"Field": "name", "Most": "30"}, {"Field": "note", "Most": "1 000"}]
    assert rows[1] == [{"Field": "name", "Most": "30"}]
    assert rows[2] == [{"Field": "name", "Least": "1", "Most": "30"}, {"Field": "note", "Least": "0", "Most": "200"}]
    assert told(read("a.txt", ruled))[-1] == ("paragraph", "Text goes on.")
    prose = "The bell rings.  It is loud.\nIt rings twice a day.  Nobody\nsleeps then.  Nobody minds.\n"
    assert [block.kind for block in read("a.txt", prose).blocks] == ["paragraph"]


def test_footnotes_follow_their_paragraph_and_comments_are_shown_but_are_no_text() -> None:
    from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    made = docx.Document()
    paragraph = made.add_paragraph("The bell must ring.")
    made.add_paragraph("It is loud.")
    call = OxmlElement("w:footnoteReference")
    call.set(qn("w:id"), "2")
    paragraph.add_run()._r.append(call)
    made.add_comment(paragraph.runs, text="Why twice?", author="Kim")
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    note = '<w:footnote w:id="2"><w:p><w:r><w:t>At most 5 times a day.</w:t></w:r></w:p></w:footnote>'
    uncalled = note.replace('w:id="2"', 'w:id="3"')
    body = f'<w:footnotes {space}><w:footnote w:type="separator" w:id="0"/>{note}{uncalled}</w:footnotes>'.encode()
    part = Part(PackURI("/word/footnotes.xml"), CONTENT_TYPE.WML_FOOTNOTES, body, made.part.package)
    made.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    out = io.BytesIO()
    made.save(out)
    parsed = read("bells.docx", out.getvalue())
    assert [text for _, text in told(parsed)] == ["The bell must ring.", "At most 5 times a day.", "It is loud."]
    assert [line for line in parsed.unread if "Comment" in line] == [
        "Comment in the Word file, not taken as part of its text: Why twice?"
    ]
    assert "Footnotes that the Word file's text does not call: 1, not read." in parsed.unread


def test_each_breach_of_an_api_description_is_a_sentence_and_the_rest_is_read() -> None:
    text = """openapi: 3.0.3
info: {title: Bells}
security: [{key: []}]
paths:
  /bells/{id}:
    get:
      operationId: one
      parameters: [{name: size, in: somewhere}]
      responses: {"200": {}}
    delete:
      operationId: one
      parameters: [{name: id, in: path}]
      responses: {"204": {description: Gone}, "2xx": {description: No}}
    put: later
components: {schemas: {Bell: {$ref: "#/components/schemas/Lost"}}}
"""
    parsed = read("a.yaml", text)
    assert [block.data["method"] for block in parsed.blocks if block.kind == "operation"] == ["get", "delete"]
    assert [line.removeprefix("Breaks a rule of OpenAPI, read all the same: ") for line in parsed.unread] == [
        "The info has no version.",
        "The API description asks for the security scheme key, which is not described.",
        "The response 200 of GET /bells/{id} has no description.",
        "A parameter of GET /bells/{id} lacks its name, or its place among path, query, header, cookie.",
        "GET /bells/{id} names {id} in its path but not among its parameters.",
        "PUT /bells/{id} is not an object.",
        "DELETE /bells/{id} has a response 2xx, which is no status.",
        "The path parameter id of DELETE /bells/{id} is not marked as required.",
        "The operationId one is given 2 times.",
        "Reference that leads nowhere: #/components/schemas/Lost",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "| Size | Price | Note |\n|---|---|---|\n| small | 4 | ok |\n| big | 5 |\n"),
        ("a.md", "| Size | Price |\n|---|---|\n| small | 4 |\n| big | 5 | or so |\n"),
        (
            "a.html",
            "<html><table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr><tr><td>big</td></tr></table></html>",
        ),
        ("a.txt", "Size\tPrice\tNote\nsmall\t4\tok\nbig\t5\n"),
    ],
)
def test_a_row_that_does_not_fit_its_header_is_read_and_named(name: str, text: str) -> None:
    parsed = read(name, text)
    assert any(kind == "table_row" and said.startswith("big") for kind, said in told(parsed))
    assert len([one for one in parsed.unread if "“big" in one and "look at it by hand" in one]) == 1


def test_a_table_whose_rows_fit_is_not_named_as_unread() -> None:
    assert read("a.md", "| Size | Price |\n|---|---|\n| small | 4 |\n").unread == []


def test_a_word_table_with_a_missing_cell_is_named() -> None:
    made = docx.Document()
    table = made.add_table(rows=2, cols=2)
    for cell, text in zip([*table.rows[0].cells, table.rows[1].cells[0]], ["Size", "Price", "small"], strict=True):
        cell.text = text
    table.rows[1]._tr.remove(table.rows[1].cells[1]._tc)
    body = io.BytesIO()
    made.save(body)
    (said,) = read("a.docx", body.getvalue()).unread
    assert "“small” (1 cell)" in said


def test_a_pdf_keeps_the_authors_number_and_spells_ligatures_out() -> None:
    parsed = read("bells.pdf", pdf([[("B-1: The ring must be con\\256rmed.", 11.0, 72.0, 700.0)]]))
    assert parsed.text.strip() == "B-1: The ring must be confirmed."


def test_a_pdf_loses_small_lines_in_its_margins_and_says_so() -> None:
    page = [
        ("11/23/26, 1:40 AM Bells", 8.0, 30.0, 825.0),
        ("Bells must ring at noon, and they must ring twice.", 11.0, 72.0, 700.0),
        ("1/1", 8.0, 560.0, 15.0),
    ]
    parsed = read("bells.pdf", pdf([page]))
    assert "1/1" not in parsed.text
    assert "11/23" not in parsed.text
    assert any("2 lines" in said for said in parsed.unread)
