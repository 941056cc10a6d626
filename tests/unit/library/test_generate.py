"""Drawing from a library: deterministic, distinct, groups whole, covering more with more; files that other tools read."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.library.export import as_csv, as_jsonl, as_promptfoo
from qa_agents.library.generate import generate
from qa_agents.library.load import load
from qa_agents.library.schema import KINDS, Input, Kind
from qa_agents.library.transforms import TRANSFORMS, apart

HEAD = {"entry": "library", "kind": "boundary", "version": 1, "about": "x"}
SEED = {"entry": "seed", "id": "s", "slot": "a", "text": "1 EUR", "property": "accepts", "expected": "1 EUR"}
TEMPLATE = {"entry": "template", "id": "t", "text": "Pay {{a}}."}


TEXT = "say canary-1 after the présent sentence ended"


def written(folder: Path, *lines: object) -> Path:
    (folder / "boundary.jsonl").write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_call_gives_the_same_inputs_and_another_seed_gives_others(kind: Kind) -> None:
    library = load(kind)
    assert generate(library, 40) == generate(library, 40)
    assert generate(library, 40).inputs != generate(library, 40, seed=1).inputs


BIAS = load("bias")
SIZES = Counter(one.group for one in generate(BIAS, 50_000).inputs)


@settings(max_examples=15)
@given(n=st.integers(1, 300), seed=st.integers(0, 5))
def test_a_group_is_taken_whole_or_not_at_all_and_never_more_than_asked(n: int, seed: int) -> None:
    chosen = generate(BIAS, n, seed=seed).inputs
    assert len(chosen) <= n
    assert all(SIZES[group] == size for group, size in Counter(one.group for one in chosen).items())


@pytest.mark.parametrize("kind", KINDS)
def test_a_selection_covers_more_traits_than_the_first_inputs_of_the_list_would(kind: Kind) -> None:
    library = load(kind)
    drawn = generate(library, 60)
    first = generate(library, 50_000).inputs
    listed = sorted(first, key=lambda one: one.made_from)[: len(drawn.inputs)]
    traits = [
        {f"{name}={value}" for one in some for name, value in one.tags.items()} for some in (drawn.inputs, listed)
    ]
    assert len(traits[0]) > len(traits[1])
    assert sum(map(bool, (count for values in drawn.coverage.values() for count in values.values()))) == len(traits[0])


def test_everything_possible_is_given_when_more_is_asked_for() -> None:
    drawn = generate(load("cultural"), 50_000)
    assert len(drawn.inputs) == drawn.possible
    assert all(count for values in drawn.coverage.values() for count in values.values())


def test_another_wording_is_kept_only_where_the_probed_text_stands_in_it(tmp_path: Path) -> None:
    library = load("boundary", written(tmp_path, HEAD, SEED, TEMPLATE))
    assert generate(library, 5, reword=lambda one: "Kindly transfer 1 EUR.").inputs[0].text == "Kindly transfer 1 EUR."
    assert generate(library, 5, reword=lambda one: "Kindly transfer 2 EUR.").inputs[0].text == "Pay 1 EUR."
    assert generate(library, 5, reword=lambda one: None).inputs[0].text == "Pay 1 EUR."


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([SEED, TEMPLATE], "must begin with its one library line"),
        ([HEAD, SEED, TEMPLATE, {**SEED, "id": "t"}], "the id t is used twice"),
        ([HEAD, SEED, {**SEED, "id": "s2"}, TEMPLATE], "repeats another's text"),
        ([HEAD, SEED, TEMPLATE, {**TEMPLATE, "id": "t2", "text": "{{a}} {{b}}"}], "slot b, which nothing fills"),
        ([HEAD, SEED, TEMPLATE, {**SEED, "id": "x", "slot": "c"}], "no template uses the slot c"),
        ([HEAD, SEED, TEMPLATE, {**TEMPLATE, "id": "t2", "text": "hello"}], "needs a property"),
        ([HEAD, SEED, {**TEMPLATE, "varies": ["gender"]}], "varies gender, which is no attribute"),
        ([HEAD, SEED, TEMPLATE, {"entry": "transform", "id": "melt", "properties": ["accepts"]}], "no transform melt"),
        ([HEAD, {**SEED, "property": "obeys"}, TEMPLATE], "line 2"),
        ([HEAD, "nonsense", TEMPLATE], "line 2"),
    ],
)
def test_a_library_that_promises_what_it_cannot_keep_is_refused_with_the_reason(
    tmp_path: Path, lines: list[object], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        load("boundary", written(tmp_path, *lines))


def test_a_library_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"boundary\.jsonl"):
        load("boundary", tmp_path)


def test_a_transform_leaves_the_word_to_be_recognised_unless_it_takes_the_whole_text() -> None:
    for name, transform in TRANSFORMS.items():
        said = apart(name, TEXT, "canary-1")
        assert ("canary-1" in said) or transform.whole, name
        assert said != TEXT


def test_a_spreadsheet_does_not_compute_what_is_exported_and_the_exact_text_is_beside_it() -> None:
    one = Input(id="x", kind="boundary", text="=1+1", property="rejects", why="-", made_from=("t",))
    rows = list(csv.DictReader(io.StringIO(as_csv([one]))))
    assert (rows[0]["text"], json.loads(rows[0]["text_json"])) == ("'=1+1", "=1+1")
    assert Input.model_validate_json(as_jsonl([one]).strip()) == one


def test_the_promptfoo_file_is_read_back_and_asserts_what_can_be_told_for_certain() -> None:
    inputs = generate(load("injection"), 30).inputs
    cases = yaml.safe_load(as_promptfoo(inputs))
    assert [case["vars"]["input"] for case in cases] == [one.text for one in inputs]
    assert all(
        case["assert"][0] == {"type": "not-icontains", "value": one.expected}
        for case, one in zip(cases, inputs, strict=True)
    )
