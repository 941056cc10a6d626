"""JSON and YAML from a hostile hand: nesting, size and aliases are counted before anything is built; places are kept."""

import json
import re
from typing import Any

import yaml

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read.limits import Limits

BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf|\.nan)\Z")
BOOLEAN = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader with the scalars of YAML 1.2: `no` is a word, `12:30` is not a number, dates stay text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", BOOLEAN, "tTfF"),
    ("int", INTEGER, "-+0123456789"),
    ("float", FLOAT, "-+0123456789."),
    ("null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]),
    ("merge", re.compile(r"<<\Z"), "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))


def load(text: str, limits: Limits) -> tuple[Any, Any]:
    """The value of a JSON or YAML text, and its node tree (None where places cannot be told).

    Raises InvalidInputError with the line for text that is not well formed or breaks a limit.
    """
    if text.lstrip()[:1] in ("{", "["):
        value = _json(text, limits)
        try:
            return value, _node(text, limits)
        except (InvalidInputError, yaml.YAMLError):
            return value, None
    try:
        node = _node(text, limits)
        loader = _Loader("")
        try:
            return _plain(loader.construct_document(node)), node
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is not well formed"
        raise InvalidInputError(f"The YAML cannot be read{where}: {problem}.") from None
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"The YAML cannot be read: {error}.") from None


def _json(text: str, limits: Limits) -> Any:
    depth = deepest = nodes = 0
    for match in BRACKETS.finditer(text):
        token = match.group()
        nodes += 1
        if token in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in "]}":
            depth -= 1
    _bounded(deepest, nodes, limits)
    try:
        return json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise InvalidInputError(f"The JSON cannot be read{f' at line {line}' if line else ''}.") from None


def _bounded(depth: int, nodes: int, limits: Limits) -> None:
    if depth > limits.nesting:
        raise InvalidInputError(f"The file is nested deeper than {limits.nesting} levels.")
    if nodes > limits.nodes:
        raise InvalidInputError(f"The file holds more than {limits.nodes} values, aliases counted as often as used.")


def _node(text: str, limits: Limits) -> Any:
    """The composed tree, after its events were counted: composing and building recurse, counting does not."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    depth = aliases = total = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, total))
            depth = max(depth, len(opened))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = total - before
        _bounded(depth, total, limits)
        if aliases > limits.aliases:
            raise InvalidInputError(f"The file uses more than {limits.aliases} YAML aliases.")
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _plain(value: Any, depth: int = 0) -> Any:
    """Only what JSON has; keys are text. A value that contains itself is refused."""
    if depth > 200:
        raise InvalidInputError("The YAML refers to itself.")
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, float) and value not in (float("inf"), float("-inf")) and value == value:
        return value
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def child(node: Any, key: str) -> tuple[Any, int, int] | None:
    """The value node under a key, with the offsets of the pair; None when it is not there."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if getattr(name, "value", None) == key:
                return value, name.start_mark.index, value.end_mark.index
    return None


def pairs(node: Any) -> list[tuple[Any, Any]]:
    """Key and value nodes of a mapping; [] for any other node."""
    return list(node.value) if isinstance(node, yaml.MappingNode) else []
