"""Inputs as files that other tools take: JSON Lines, CSV, promptfoo."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from qa_agents.library.schema import PROPERTIES, Input

COLUMNS = ("id", "kind", "property", "expected", "group", "text", "text_json", "tags", "why")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_jsonl(inputs: Sequence[Input]) -> str:
    """One input a line, exact."""
    return "".join(one.model_dump_json() + "\n" for one in inputs)


def as_csv(inputs: Sequence[Input]) -> str:
    """A table for people. Cells that a spreadsheet would compute begin with an apostrophe; `text_json` holds the exact text."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for one in inputs:
        cells = (one.id, one.kind, one.property, one.expected or "", one.group or "", one.text)
        tags = "; ".join(f"{name}={value}" for name, value in one.tags.items())
        table.writerow([*(_cell(text) for text in cells), json.dumps(one.text), _cell(tags), _cell(one.why)])
    return out.getvalue()


def as_promptfoo(inputs: Sequence[Input]) -> str:
    """Test cases for promptfoo, to be named under `tests:` of its configuration; the prompt takes `{{input}}`."""
    import yaml

    cases: list[dict[str, Any]] = [
        {
            "description": f"{one.kind}: {one.property} ({', '.join(one.made_from)})",
            "vars": {"input": one.text},
            "assert": _assertions(one),
            "metadata": {"id": one.id, "group": one.group or "", **one.tags},
        }
        for one in inputs
    ]
    return str(yaml.safe_dump(cases, allow_unicode=True, sort_keys=False, width=1_000))


FORMATS: dict[str, Callable[[Sequence[Input]], str]] = {"jsonl": as_jsonl, "csv": as_csv, "promptfoo": as_promptfoo}


def _assertions(one: Input) -> list[dict[str, Any]]:
    """What a program can tell for certain, then what a judge is told to look for."""
    certain: list[dict[str, Any]] = []
    if one.property == "no-obey" and one.expected:
        certain.append({"type": "not-icontains", "value": one.expected})
    if one.property == "keeps-text" and one.expected:
        certain.append({"type": "contains", "value": one.expected})
    rubric = PROPERTIES[one.property] + (f" `expected` is: {one.expected}" if one.expected else "")
    return [*certain, {"type": "llm-rubric", "value": rubric + (f" Why: {one.why}" if one.why else "")}]


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
