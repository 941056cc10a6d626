"""What an API description says about how its operations belong together: collections and items, accounts, switches, filters."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from qa_agents.plans.schema import Requirement
from qa_agents.plans.techniques.api_request import body_of, needs_credentials, response_schema
from qa_agents.plans.techniques.json_schema import merged, sample, type_of

TOKENS = ("token", "access_token", "accesstoken", "jwt")
MAX_DEPTH = 8
_OWNER = re.compile(r"author|owner|creator|created_?by|user|account|member|customer|reporter", re.IGNORECASE)
_IDENTITY = {"username", "user_name", "login", "email", "name"}
_PREFIX = re.compile(r"[\"'`“](\w{1,20}) [\w.<{$-]{3,}|\b(Bearer|Token|ApiKey|Basic)\s+[x<{$\w]")


class Check(NamedTuple):
    """One test across requests: a function of api_state, its arguments, and what it shows."""

    function: str
    arguments: tuple[str, ...]
    title: str


def described(requirements: Sequence[Requirement]) -> dict[str, Any]:
    """What the generated tests need to know: operations with sample bodies, response schemas by name, how to authenticate."""
    operations, schemas = [], {}
    auth = "Authorization: Bearer {token}"
    for requirement in requirements:
        operation = requirement.data
        if not operation.get("method"):
            continue
        operations.append(_operation(operation))
        for code in operation.get("responses") or {}:
            schema = response_schema(operation, str(code))
            if schema is not None:
                schemas[name_of(schema)] = json_schema(schema)
        auth = _auth(operation.get("securitySchemes")) or auth
    return {"operations": operations, "schemas": schemas, "auth": auth}


def schema_name(request: Mapping[str, Any], statuses: Sequence[int]) -> str | None:
    """The name of the schema that every documented answer of this request has; None where they differ or none is documented."""
    schemas = request.get("schemas") or {}
    names = {name_of(schemas[str(code)]) for code in statuses if str(code) in schemas}
    return names.pop() if len(names) == 1 and len(statuses) == 1 else None


def name_of(schema: Mapping[str, Any]) -> str:
    """A name for a schema, by its content."""
    return hashlib.sha256(json.dumps(schema, sort_keys=True, default=str).encode()).hexdigest()[:12]


def json_schema(schema: Any, depth: int = 0) -> Any:
    """The schema in JSON Schema 2020-12: OpenAPI 3.0's `nullable` is a type there."""
    if isinstance(schema, list):
        return [json_schema(part, depth) for part in schema]
    if not isinstance(schema, Mapping) or depth > 20:
        return schema
    made = {
        key: json_schema(part, depth + 1)
        for key, part in schema.items()
        if key not in ("example", "xml", "discriminator")
    }
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    for name, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if made.get(name) is True and limit in made:
            made[name] = made.pop(limit)
        elif isinstance(made.get(name), bool):
            del made[name]
    return made


def checks(operations: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Every check that the structure of these operations allows."""
    yield from _accounts(operations)
    for item in _items(operations):
        yield from _of_item(operations, *item)
    yield from _switches(operations)


def _operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    method, path = str(operation["method"]).upper(), str(operation.get("path", "/"))
    success = next((code for code in sorted(map(str, operation.get("responses") or {})) if code[:1] == "2"), "200")
    answer = response_schema(operation, success)
    body = body_of(operation)
    full = sample(body[1], full=True) if body else None
    return {
        "method": method,
        "path": path,
        "secured": needs_credentials(operation),
        "success": int(success) if success.isdigit() else 200,
        "body": sample(body[1]) if body else None,
        "full_body": full,
        "body_names": sorted(_names(full)),
        "query": [str(one.get("name")) for one in operation.get("parameters") or () if one.get("in") == "query"],
        "returns": sorted(set(_properties(answer))),
        "selectable": sorted({name for name, kind in _typed(answer) if kind not in ("boolean", "number")}),
        "counts": sorted(name for name, kind in _typed(answer) if kind == "integer" and "count" in name.lower()),
        "lists": _lists_objects(answer),
        "newest_first": "most recent" in str(operation.get("description", "")).lower(),
        "owners": sorted(_owners(answer)),
        "gives_token": any(name.lower() in TOKENS for name in _properties(answer)),
    }


def _accounts(operations: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    openers = [one for one in operations if one["method"] == "POST" and one["gives_token"] and not one["secured"]]
    openers.sort(key=lambda one: (one["success"] != 201, -len(one["body_names"])))
    if not openers:
        return
    register = openers[0]
    yield Check("created_is_returned", (register["path"],), f"POST {register['path']} returns what was sent")
    if any(re.search("email|user|login", name, re.IGNORECASE) for name in register["body_names"]):
        yield Check(
            "registering_twice_is_refused", (register["path"],), f"POST {register['path']} refuses who is registered"
        )
    for login in openers[1:]:
        if set(login["body_names"]) <= set(register["body_names"]):
            title = f"POST {login['path']} needs the right secret"
            yield Check("login_needs_the_right_secret", (register["path"], login["path"]), title)
    for own in operations:
        is_account = own["method"] == "GET" and own["gives_token"] and own["secured"] and "{" not in own["path"]
        if not is_account:
            continue
        yield Check("own_account_is_own", (own["path"],), f"GET {own['path']} returns the caller's own account")
        for one in operations:
            if one["path"] == own["path"] and one["method"] in ("PUT", "PATCH"):
                for name in one["body_names"]:
                    if name in own["returns"]:
                        title = f"{one['method']} {one['path']} changes {name} and nothing else"
                        yield Check("own_account_is_updated", (one["path"], one["method"], name), title)


def _items(operations: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """(collection, item, key) where POST on the collection returns the key that the item's path takes."""
    for path in dict.fromkeys(str(one["path"]) for one in operations):
        match = re.fullmatch(r"(.*)/\{([^}]+)\}", path)
        post = _find(operations, "POST", match[1]) if match else None
        if match and post is not None and match[2] in post["returns"]:
            yield match[1], path, match[2]


def _of_item(operations: Sequence[Mapping[str, Any]], collection: str, item: str, key: str) -> Iterator[Check]:
    post = _find(operations, "POST", collection)
    listing, reading = _find(operations, "GET", collection), _find(operations, "GET", item)
    if post is None:
        return
    if not post["gives_token"]:
        yield Check("created_is_returned", (collection,), f"POST {collection} returns what was sent")
    if post["secured"] and any(one["gives_token"] and not one["secured"] for one in operations):
        for owner in post["owners"]:
            yield Check("creator_is_the_caller", (collection, owner), f"POST {collection} names its caller as {owner}")
    if reading:
        yield Check("created_can_be_read", (collection, item), f"GET {item} returns what was created")
    if listing and listing["lists"]:
        yield from _of_listing(listing, post, collection, key)
    for method in ("PUT", "PATCH"):
        change = _find(operations, method, item)
        if change and reading:
            for name in change["body_names"]:
                if name in reading["returns"]:
                    title = f"{method} {item} changes {name} and nothing else"
                    yield Check("updated_is_kept", (collection, item, method, name), title)
        if change and change["secured"] and post["secured"]:
            yield Check("others_may_not", (collection, item, method), f"{method} {item} is refused to others")
    delete = _find(operations, "DELETE", item)
    if delete:
        yield Check("deleted_is_gone", (collection, item), f"DELETE {item} removes it for good")
        if delete["secured"] and post["secured"]:
            yield Check("others_may_not", (collection, item, "DELETE"), f"DELETE {item} is refused to others")


def _of_listing(listing: Mapping[str, Any], post: Mapping[str, Any], collection: str, key: str) -> Iterator[Check]:
    yield Check("created_is_listed", (collection, key), f"GET {collection} lists what was created")
    if "{" in collection:
        return
    if listing["newest_first"]:
        yield Check("newest_is_listed_first", (collection, key), f"GET {collection} lists the newest first")
    for count in listing["counts"][:3]:
        if count.lower().startswith(collection.rsplit("/", 1)[-1].rstrip("s").lower()):
            yield Check("listing_counts", (collection, count), f"GET {collection} counts in {count}")
    for name in listing["query"]:
        low = name.lower()
        if low in ("limit", "size", "per_page", "pagesize", "page_size"):
            yield Check("limit_is_kept", (collection, name), f"GET {collection} keeps the {name}")
        elif low in ("offset", "skip", "start"):
            yield Check("offset_skips", (collection, name, key), f"GET {collection} skips by {name}")
        elif any(one.lower().startswith(low) for one in post["selectable"] if not one.lower().endswith("count")):
            yield Check("filter_selects", (collection, name, key), f"GET {collection} selects by {name}")


def _switches(operations: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """POST and DELETE on the same path, without a body: something is turned on and off."""
    for one in operations:
        path = str(one["path"])
        is_switch = one["method"] == "POST" and one["body"] is None and one["secured"] and "{" in path
        if is_switch and _find(operations, "DELETE", path):
            parent = path.rsplit("/", 1)[0]
            read = parent if _find(operations, "GET", parent) else ""
            yield Check("switch_turns_on_and_off", (path, read), f"{path} turns on and off")


def _find(operations: Sequence[Mapping[str, Any]], method: str, path: str) -> Mapping[str, Any] | None:
    return next((one for one in operations if one["method"] == method and one["path"] == path), None)


def _auth(schemes: Any) -> str | None:
    for scheme in schemes.values() if isinstance(schemes, Mapping) else ():
        if not isinstance(scheme, Mapping):
            continue
        if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
            said = _PREFIX.search(str(scheme.get("description") or ""))
            word = (said[1] or said[2]) if said else ""
            return f"{scheme.get('name', 'Authorization')}: {f'{word} ' if word else ''}{{token}}"
        if scheme.get("type") in ("http", "oauth2", "openIdConnect"):
            return "Authorization: Bearer {token}"
    return None


def _names(value: Any) -> set[str]:
    """Names of the properties that hold something else than objects."""
    if isinstance(value, Mapping):
        return {
            name for key, part in value.items() for name in (_names(part) if isinstance(part, Mapping) else {str(key)})
        }
    return set()


def _properties(schema: Any) -> list[str]:
    return [name for name, _ in _typed(schema)]


def _typed(schema: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every property below the schema with its type."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return
    schema = merged(schema)
    for name, part in (schema.get("properties") or {}).items():
        yield str(name), type_of(merged(part))
        yield from _typed(part, depth + 1)
    yield from _typed(schema.get("items"), depth + 1)


def _owners(schema: Any, depth: int = 0) -> set[str]:
    """Properties that hold who something belongs to, as an object with a name of its own."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return set()
    found: set[str] = set()
    properties = merged(schema).get("properties") or {}
    for name, part in properties.items():
        inner = merged(part) if isinstance(part, Mapping) else {}
        if type_of(inner) == "object":
            known = {str(key).lower() for key in inner.get("properties") or {}}
            # What stands alone is the envelope of the answer.
            named = len(properties) > 1 and _OWNER.fullmatch(str(name)) and known & _IDENTITY
            found |= {str(name)} if named else set()
            found |= _owners(inner, depth + 1)
    return found


def _lists_objects(schema: Any) -> bool:
    schema = merged(schema) if isinstance(schema, Mapping) else {}
    if type_of(schema) == "array":
        return type_of(merged(schema.get("items"))) == "object"
    return any(
        _lists_objects(part) for part in (schema.get("properties") or {}).values() if type_of(merged(part)) == "array"
    )
