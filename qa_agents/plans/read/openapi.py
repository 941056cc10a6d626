"""OpenAPI 3.0 and 3.1: one block an operation, with every local reference resolved and its place in the file."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read import structured
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.openapi_checks import METHODS, problems, references
from qa_agents.plans.read.parsed import Parsed, RawBlock, trimmed

KEPT = ("operationId", "summary", "description", "tags", "deprecated")
IS_DESCRIPTION = re.compile(
    r"""^[ \t]*["']?(?:openapi|swagger)["']?[ \t]*:|\A\s*\{[^{}]{0,500}["'](?:openapi|swagger)["']\s*:""", re.M
)


def is_description(text: str) -> bool:
    """Whether a JSON or YAML text says that it describes an API."""
    return bool(IS_DESCRIPTION.search(text[:20_000]))


@dataclass
class _Resolver:
    """Follows `#/…` references; cycles and foreign references stay as they are and are named."""

    root: Any
    limit: int
    left: int = 0
    foreign: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)

    def whole(self, value: Any) -> Any:
        """The value with its references replaced, up to the limit of nodes."""
        self.left = self.limit
        return self._resolved(value, ())

    def target(self, reference: str) -> Any:
        """What a local reference points to; None when it leads nowhere."""
        value = self.root
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                return None
        return value

    def _resolved(self, value: Any, trail: tuple[str, ...]) -> Any:
        self.left -= 1
        if self.left < 0:
            return {"x-cut": True} if isinstance(value, dict | list) else value
        if isinstance(value, list):
            return [self._resolved(item, trail) for item in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return {key: self._resolved(item, trail) for key, item in value.items()}
        if not reference.startswith("#/"):
            self.foreign.add(reference[:200])
            return {"$ref": reference}
        if reference in trail or len(trail) > 50:
            return {"$ref": reference, "x-cycle": True}
        target = self.target(reference)
        if target is None:
            self.broken.add(reference[:200])
            return {"$ref": reference}
        resolved = self._resolved(target, (*trail, reference))
        if isinstance(resolved, dict):
            beside = {
                key: item for key, item in value.items() if key in ("description", "summary", "nullable", "default")
            }
            return {"x-name": reference.rsplit("/", 1)[-1], **resolved, **beside}
        return resolved


def read_openapi(text: str, limits: Limits) -> Parsed:
    """Operations of an API description; `data` of a block holds the resolved operation and the places of its parts."""
    root, node = structured.load(text, limits)
    if not isinstance(root, dict):
        raise InvalidInputError("The API description is not an object.")
    version = str(root.get("openapi") or root.get("swagger") or "")
    if not version.startswith("3."):
        raise InvalidInputError(
            f"OpenAPI {version or 'of unknown version'} is not read; 3.0 and 3.1 are.", hint="Convert it to OpenAPI 3."
        )
    resolver = _Resolver(root, limits.expanded_nodes)
    info = root.get("info") if isinstance(root.get("info"), dict) else {}
    title = str((info or {}).get("title") or "API")[:200]
    blocks = _prose(text, node, title)
    unread = [f"Breaks a rule of OpenAPI, read all the same: {one}" for one in problems(root, version)]
    paths = root.get("paths")
    paths_node = structured.child(node, "paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        if str(path).startswith("x-"):
            continue
        item_at = structured.child(paths_node[0], path) if paths_node else None
        shared = resolver.whole(item) if isinstance(item, dict) and "$ref" in item else item
        if not isinstance(shared, dict):
            unread.append(f"Path {path}: not an object, not read.")
            continue
        for method in METHODS:
            if isinstance(shared.get(method), dict):
                blocks.append(_operation(text, resolver, root, title, (path, method, shared), item_at))
                if shared[method].get("callbacks"):
                    unread.append(f"Callbacks of {method.upper()} {path}: not read.")
    if not any(block.kind == "operation" for block in blocks):
        unread.append("The API description has no operations.")
    if root.get("webhooks"):
        unread.append("Webhooks of the API description: not read.")
    for reference in references(root):
        if resolver.target(reference) is None:
            resolver.broken.add(reference[:200])
    unread += [f"Reference to another file or host, not followed: {name}" for name in sorted(resolver.foreign)[:50]]
    unread += [f"Reference that leads nowhere: {name}" for name in sorted(resolver.broken)[:50]]
    return Parsed("application/openapi", text, blocks, unread)


def _prose(text: str, node: Any, title: str) -> list[RawBlock]:
    """Title and description of the API, and descriptions of its tags, where their places are known."""
    blocks: list[RawBlock] = []
    info = structured.child(node, "info")
    if info:
        for key, kind in (("title", "heading"), ("description", "paragraph")):
            found = structured.child(info[0], key)
            if found:
                start, end = _scalar(text, found[0].start_mark.index, found[0].end_mark.index)
                if start < end:
                    blocks.append(RawBlock(kind, start, end, [title]))  # type: ignore[arg-type]
    return blocks


def _scalar(text: str, start: int, end: int) -> tuple[int, int]:
    """A scalar without its quotes or block mark."""
    lead = re.match(r"[|>][+\-0-9]*[ \t]*(?:#[^\n]*)?\n|[\"']", text[start:end])
    if lead:
        start += lead.end()
        if lead.group() in "\"'" and end > start:
            end -= 1
    return trimmed(text, start, end)


def _operation(
    text: str, resolver: _Resolver, root: dict[str, Any], title: str, of: tuple[str, str, dict[str, Any]], item_at: Any
) -> RawBlock:
    path, method, item = of
    operation = item[method]
    data = {key: operation[key] for key in KEPT if key in operation}
    data["method"], data["path"] = method, path
    shared = item.get("parameters") if isinstance(item.get("parameters"), list) else []
    own = operation.get("parameters") if isinstance(operation.get("parameters"), list) else []
    merged: dict[tuple[str, str], Any] = {}
    for parameter in resolver.whole([*(shared or []), *(own or [])]):
        if isinstance(parameter, dict) and "name" in parameter:
            merged[(str(parameter.get("in")), str(parameter["name"]))] = parameter
    data["parameters"] = list(merged.values())
    data["requestBody"] = resolver.whole(operation.get("requestBody"))
    responses = operation.get("responses")
    data["responses"] = {
        str(code): resolver.whole(answer) for code, answer in (responses.items() if isinstance(responses, dict) else ())
    }
    security = operation.get("security", root.get("security"))
    data["security"] = security if isinstance(security, list) else []
    data["securitySchemes"] = resolver.whole(resolver.target("#/components/securitySchemes")) or {}
    start, end, data["places"] = _places(text, item_at, method)
    tags = data.get("tags")
    tag = [str(tags[0])] if isinstance(tags, list) and tags else []
    return RawBlock("operation", start, end, [title, *tag], data=data)


def _places(text: str, item_at: Any, method: str) -> tuple[int, int, dict[str, list[int]]]:
    """Where the operation stands, and its description and each of its responses; the whole text where that is unknown."""
    found = structured.child(item_at[0], method) if item_at else None
    if not found:
        return *trimmed(text, 0, len(text)), {}
    node, start, end = found
    places: dict[str, list[int]] = {}
    for key in ("summary", "description"):
        part = structured.child(node, key)
        if part:
            places[key] = list(_scalar(text, part[0].start_mark.index, part[0].end_mark.index))
    responses = structured.child(node, "responses")
    for name, value in structured.pairs(responses[0]) if responses else ():
        places[f"responses {name.value}"] = list(trimmed(text, name.start_mark.index, value.end_mark.index))
    return *trimmed(text, start, end), places
