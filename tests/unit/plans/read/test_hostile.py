"""Files that want to exhaust, escape or mislead: each ends in one sentence, in the child or before it."""

import io
import zipfile
from pathlib import Path

import pytest

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.plans.read import Limits, read_sources
from qa_agents.plans.read.parse import parse
from tests.unit.plans.read.files import archive, pdf

LIMITS = Limits()


def refused(name: str, data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(InvalidInputError) as error:
        parse(name, data, limits)
    return error.value.message


def test_a_word_file_that_swells_is_refused_before_it_is_unpacked() -> None:
    assert "times its size" in refused("a.docx", archive(word__document=b"<a>" + b" " * 30_000_000))


def test_an_archive_that_lies_about_its_sizes_is_counted_not_believed() -> None:
    data = bytearray(archive(word__document=b" " * 30_000_000))
    directory = data.rfind(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (100).to_bytes(4, "little")
    assert refused("a.docx", bytes(data))


def test_an_archive_of_many_small_files_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for number in range(LIMITS.archive_entries + 1):
            made.writestr(f"word/{number}", b"")
    assert "files" in refused("a.docx", out.getvalue())


def test_entities_in_a_word_file_are_refused() -> None:
    laughs = b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>'
    assert "entities" in refused("a.docx", archive(word__document=laughs))


def test_a_billion_laughs_in_yaml_are_counted_before_they_are_built() -> None:
    lines = ["openapi: 3.0.0", "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "more than" in refused("a.yaml", "\n".join(lines).encode())


def test_a_yaml_that_contains_itself_is_refused() -> None:
    assert refused("a.yaml", b"openapi: 3.0.0\na: &a [*a]\n")


@pytest.mark.parametrize(
    ("name", "opening"), [("a.yaml", "openapi: 3.0.0\nx: "), ("a.json", '{"openapi": "3.0.0", "x": ')]
)
def test_a_million_levels_of_nesting_are_refused(name: str, opening: str) -> None:
    message = refused(name, (opening + "[" * 1_000_000).encode())
    assert "nested" in message or "cannot be read" in message


def test_a_million_levels_of_markdown_and_html_are_read_or_refused_but_do_not_end_the_process() -> None:
    assert parse("a.md", b"> " * 100_000 + b"x", LIMITS).text
    assert parse("a.html", b"<html>" + b"<div>" * 100_000 + b"x", LIMITS).text


def test_references_that_fan_out_are_cut_at_a_limit() -> None:
    schemas = "".join(
        f"    S{n}: {{type: object, properties: {{a: {{$ref: "
        f"'#/components/schemas/S{n + 1}'}}, b: {{$ref: "
        f"'#/components/schemas/S{n + 1}'}}}}}}\n"
        for n in range(40)
    )
    text = (
        "openapi: 3.0.0\npaths:\n  /a:\n    get:\n      responses:\n"
        "        '200':\n          description: ok\n"
        "          content: {application/json: {schema: "
        f"{{$ref: '#/components/schemas/S0'}}}}}}\ncomponents:\n  schemas:\n{schemas}    S40: {{type: string}}\n"
    )
    parsed = parse("a.yaml", text.encode(), Limits(expanded_nodes=500))
    assert str(parsed.blocks[-1].data).count("'type'") <= 500
    assert "x-cut" in str(parsed.blocks[-1].data)


def test_pages_beyond_the_limit_are_named_as_unread() -> None:
    data = pdf([[(f"Page {number} rings.", 11.0, 72.0, 700.0)] for number in range(6)])
    parsed = parse("a.pdf", data, Limits(pages=3))
    assert "Page 2 rings." in parsed.text
    assert "Page 3 rings." not in parsed.text
    assert any(sentence.startswith("Pages 4 to 6") for sentence in parsed.unread)


def test_a_pdf_that_claims_a_billion_pages_is_one_page() -> None:
    data = pdf([[("One.", 11.0, 72.0, 700.0)]]).replace(b"/Count 1 ", b"/Count 1000000000 ")
    assert "One." in parse("a.pdf", data, LIMITS).text


def test_text_beyond_the_limit_is_cut_and_said() -> None:
    parsed = parse("a.md", b"word " * 1_000, Limits(text_chars=100))
    assert len(parsed.text) == 100
    assert "4900 characters" in parsed.unread[0]


@pytest.mark.parametrize(
    "damage",
    [b"%PDF-1.7\n", b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 1 0 R >>\nendobj\ntrailer << /Root 1 0 R >>"],
)
def test_a_damaged_pdf_is_refused_with_a_sentence(damage: bytes) -> None:
    with pytest.raises(InvalidInputError) as error:
        read_sources([("a.pdf", damage)])
    assert "a.pdf" in str(error.value)


def test_the_child_dies_alone_when_it_runs_out_of_memory() -> None:
    limits = Limits(memory_bytes=120_000_000)
    with pytest.raises(InvalidInputError, match=r"big\.md"):
        read_sources([("big.md", b"- a\n\n" * 400_000)], limits=limits)


def test_the_child_is_stopped_when_its_time_is_over() -> None:
    with pytest.raises(InvalidInputError, match="could not be read within"):
        read_sources([("a.md", b"# x\n")], limits=Limits(seconds=0.001))


def test_too_large_missing_and_no_files_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="larger"):
        read_sources([("a.md", b"x" * 11)], limits=Limits(file_bytes=10))
    with pytest.raises(InvalidInputError, match="together"):
        read_sources([("a.md", b"x" * 9), ("b.md", b"y" * 9)], limits=Limits(total_bytes=10))
    with pytest.raises(NotFoundError):
        read_sources([tmp_path / "no.md"])
    with pytest.raises(InvalidInputError, match="not a file"):
        read_sources([tmp_path])
    with pytest.raises(InvalidInputError, match="nothing"):
        read_sources([])


def test_the_child_has_no_network_and_no_surroundings() -> None:
    import subprocess
    import sys

    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "from qa_agents.plans.read.child import limit_this_process\n"
            "from qa_agents.plans.read.limits import Limits\nimport socket\n"
            "limit_this_process(Limits())\n"
            "try: socket.create_connection(('127.0.0.1', 9))\nexcept OSError as e: print(e)\n"
            "try: open('qa-agents-test-file', 'w').write('x' * 10)\nexcept OSError as e: print('no files')\n",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/tmp",
        env={"PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    assert "no network here" in told.stdout
    Path("/tmp/qa-agents-test-file").unlink(missing_ok=True)
