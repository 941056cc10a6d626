"""Inputs as files that other tools take: JSON Lines, CSV, promptfoo."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from qa_agents.library.schema import PROPERTIES, Input
from qa_agents.llm.sanitise import spreadsheet_cell

COLUMNS = ("id", "kind", "property", "expected", "group", "text", "text_json", "tags", "why")


def as_jsonl(inputs: Sequence[Input]) -> str:
    """One input a line, exact."""
    return "".join(one.model_dump_json() + "\n" for one in inputs)


def as_csv(inputs: Sequence[Input]) -> str:
    """A table for people. Cells that a spreadsheet would compute begin with an apostrophe; `text_json` holds the exact text."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    table.writerow(COLUMNS)
    for one in inputs:
        tags = "; ".join(f"{name}={value}" for name, value in one.tags.items())
        cells = (one.id, one.kind, one.property, one.expected or "", one.group or "", one.text, tags, one.why)
        *first, last, why = map(spreadsheet_cell, cells)
        table.writerow([*first, json.dumps(one.text), last, why])
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
