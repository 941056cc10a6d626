"""Reads library files and checks that what they promise can be generated."""

import hashlib
import json
import re
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.library.schema import KINDS, Attribute, Head, Kind, Library, Line, Seed, Template, TransformUse
from qa_agents.library.transforms import TRANSFORMS
from qa_agents.settings import resource_dir

SLOT = re.compile(r"\{\{([a-z0-9-]+)\}\}")
CANARY = "canary"
"""A slot that is filled with a word of its own for every input."""
_LINE: TypeAdapter[Line] = TypeAdapter(Line)


def load(kind: Kind, folder: Path | None = None) -> Library:
    """The library of this kind, from `folder` or from the one that ships.

    Raises NotFoundError where there is no such file, InvalidInputError naming file and line for what is wrong in it.
    """
    path = (folder or resource_dir("prompts") / "library") / f"{kind}.jsonl"
    try:
        raw = path.read_bytes()
    except OSError:
        raise NotFoundError(
            f"There is no library {kind} at {path.name}.", hint=f"There are: {', '.join(KINDS)}."
        ) from None
    lines = [_line(path.name, number, text) for number, text in enumerate(raw.splitlines(), 1) if text.strip()]
    head = lines[0] if lines else None
    if not isinstance(head, Head) or head.kind != kind or sum(isinstance(line, Head) for line in lines) != 1:
        raise InvalidInputError(f"{path.name} must begin with its one library line of kind {kind}.")
    library = Library(
        kind=kind,
        version=head.version,
        about=head.about,
        sha256=hashlib.sha256(raw).hexdigest(),
        seeds=tuple(line for line in lines if isinstance(line, Seed)),
        templates=tuple(line for line in lines if isinstance(line, Template)),
        attributes=tuple(line for line in lines if isinstance(line, Attribute)),
        transforms=tuple(line for line in lines if isinstance(line, TransformUse)),
    )
    if problems := lint(library):
        raise InvalidInputError(f"{path.name}: {problems[0]}", hint=f"{len(problems)} problems in all.")
    return library


def lint(library: Library) -> list[str]:
    """Everything that would keep an entry from being generated or judged, one sentence each."""
    named = [entry.id for part in (library.seeds, library.templates, library.attributes) for entry in part]
    problems = [f"the id {name} is used twice." for name in sorted({name for name in named if named.count(name) > 1})]
    texts = [(seed.slot, seed.text) for seed in library.seeds]
    problems += [
        f"the seed {seed.id} repeats another's text."
        for seed in library.seeds
        if texts.count((seed.slot, seed.text)) > 1
    ]
    attributes = {attribute.id: attribute for attribute in library.attributes}
    for attribute in library.attributes:
        if len({frozenset(value.fill) for value in attribute.values}) > 1:
            problems.append(f"the values of {attribute.id} fill different slots.")
    slots, used = {seed.slot for seed in library.seeds}, set()
    for template in library.templates:
        for name in template.varies:
            if name not in attributes:
                problems.append(f"{template.id} varies {name}, which is no attribute.")
        filled = {slot for name in template.varies if name in attributes for slot in attributes[name].values[0].fill}
        wanted = set(SLOT.findall(template.text + (template.expected or "")))
        used |= wanted
        problems += [
            f"{template.id} has the slot {slot}, which nothing fills."
            for slot in sorted(wanted - slots - filled - {CANARY})
        ]
        probes = {s.slot for s in library.seeds if s.property} & wanted
        if template.property is None and len(probes) != 1:
            problems.append(f"{template.id} needs a property, or exactly one slot whose seeds have one.")
        if template.varies and template.property != "same-answer":
            problems.append(f"{template.id} varies attributes, so that its property must be same-answer.")
    problems += [f"no template uses the slot {slot}." for slot in sorted(slots - used)]
    for use in library.transforms:
        if use.id not in TRANSFORMS:
            problems.append(f"there is no transform {use.id}.")
        if use.slot is not None and use.slot not in slots:
            problems.append(f"the transform {use.id} is for the slot {use.slot}, which no seed fills.")
    return problems


def _line(name: str, number: int, text: bytes) -> Line:
    try:
        return _LINE.validate_python(json.loads(text))
    except (ValueError, ValidationError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is not JSON"
        raise InvalidInputError(f"{name}, line {number}: {said}.") from None
