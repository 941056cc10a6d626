"""What is wrong with an API description, in sentences: the rules of OpenAPI 3.0.3 and 3.1.0 that a plan depends on."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
PLACES = ("path", "query", "header", "cookie")
MOST = 50
_NAME = re.compile(r"\{([^{}/]+)\}")


def problems(root: dict[str, Any], version: str) -> list[str]:
    """One sentence for each breach, at most fifty and how many more; [] for a description that keeps the rules checked here.

    Checked, by the sections of 3.1.0: info (4.8.2), paths and their templates (4.8.8), operation ids (4.8.10), parameters
    (4.8.12), responses (4.8.16, 4.8.17) and the names of security schemes (4.8.30). References are not followed: what they
    lead to is checked where it stands.
    """
    found = list(dict.fromkeys(_all(root, version)))
    more = len(found) - MOST
    return found[:MOST] + ([f"The API description breaks {more} more rules."] if more > 0 else [])


def references(root: Any) -> Iterator[str]:
    """Every reference inside the document, `#/…`, in the order of the text; without recursion."""
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str) and value["$ref"].startswith("#/"):
                yield value["$ref"]
            waiting += reversed(list(value.values()))
        elif isinstance(value, list):
            waiting += reversed(value)


def _all(root: dict[str, Any], version: str) -> Iterator[str]:
    info = root.get("info")
    if not isinstance(info, dict):
        yield "The API description has no info."
    else:
        yield from (f"The info has no {key}." for key in ("title", "version") if not info.get(key))
    paths = root.get("paths")
    if "paths" in root and not isinstance(paths, dict):
        yield "The paths are not an object."
    elif "paths" not in root and (version.startswith("3.0") or not {"components", "webhooks"} & set(root)):
        yield "The API description has no paths."
    schemes = _object(_object(root.get("components")).get("securitySchemes"))
    yield from _unknown_schemes("The API description", root.get("security"), set(schemes))
    ids: Counter[str] = Counter()
    for path, item in _object(paths).items():
        if str(path).startswith("x-"):
            continue
        if not str(path).startswith("/"):
            yield f"Path {path} does not begin with a slash."
        for method in METHODS:
            operation = _object(item).get(method)
            if operation is None:
                continue
            name = f"{method.upper()} {path}"
            if not isinstance(operation, dict):
                yield f"{name} is not an object."
                continue
            if isinstance(operation.get("operationId"), str):
                ids[operation["operationId"]] += 1
            yield from _responses(name, operation, version)
            yield from _parameters(name, str(path), [_object(item).get("parameters"), operation.get("parameters")])
            yield from _unknown_schemes(name, operation.get("security"), set(schemes))
    yield from (f"The operationId {one} is given {n} times." for one, n in ids.items() if n > 1)


def _responses(name: str, operation: dict[str, Any], version: str) -> Iterator[str]:
    answers = operation.get("responses")
    if "responses" not in operation:
        if version.startswith("3.0"):
            yield f"{name} has no responses."
        return
    if not isinstance(answers, dict):
        yield f"The responses of {name} are not an object."
        return
    for code, answer in answers.items():
        if not re.fullmatch(r"[1-5](?:\d\d|XX)|default|x-.*", str(code)):
            yield f"{name} has a response {code}, which is no status."
        if not isinstance(answer, dict):
            yield f"The response {code} of {name} is not an object."
        elif "$ref" not in answer and not isinstance(answer.get("description"), str) and not str(code).startswith("x-"):
            yield f"The response {code} of {name} has no description."


def _parameters(name: str, path: str, given: list[Any]) -> Iterator[str]:
    declared: set[str] = set()
    is_open = False
    for group in given:
        if group is not None and not isinstance(group, list):
            yield f"The parameters of {name} are not a list."
            continue
        seen: set[tuple[str, str]] = set()
        for one in group or []:
            if isinstance(one, dict) and "$ref" in one:
                is_open = True
                continue
            if not isinstance(one, dict) or not isinstance(one.get("name"), str) or one.get("in") not in PLACES:
                yield f"A parameter of {name} lacks its name, or its place among {', '.join(PLACES)}."
                continue
            key = (one["in"], one["name"])
            if key in seen:
                yield f"The {key[0]} parameter {key[1]} of {name} is given twice."
            seen.add(key)
            if one["in"] == "path":
                declared.add(one["name"])
                if one.get("required") is not True:
                    yield f"The path parameter {one['name']} of {name} is not marked as required."
    wanted = set(_NAME.findall(path))
    yield from (
        f"{name} names {{{one}}} in its path but not among its parameters."
        for one in sorted(wanted - declared)
        if not is_open
    )
    yield from (f"The path parameter {one} of {name} is not in the path." for one in sorted(declared - wanted))


def _unknown_schemes(name: str, security: Any, known: set[str]) -> Iterator[str]:
    asked = {str(one) for each in (security if isinstance(security, list) else []) for one in _object(each)}
    yield from (f"{name} asks for the security scheme {one}, which is not described." for one in sorted(asked - known))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
