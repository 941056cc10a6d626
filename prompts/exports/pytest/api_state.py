"""What must hold across several requests, checked by the generated tests. Copied into their folder beside api_support.py."""

from typing import Any

import pytest
from api_support import (
    Api,
    changed,
    echoed,
    find,
    fresh,
    item_in,
    items_of,
    operation_of,
    overlay,
    parameters_in,
    steady,
)

MISSING = (403, 404, 410, 422)
"""Statuses that say that something is not there."""
REFUSED = (401, 403, 404)
"""Statuses that say that somebody may not."""


def _auth(method: str, path: str) -> str:
    return "valid" if operation_of(method, path)["secured"] else "none"


def _params(item: str, key: Any, api: Api) -> dict[str, Any]:
    """The last parameter of the path is the key; those before it are filled by themselves."""
    names = parameters_in(item)
    return {**dict.fromkeys(names[:-1]), names[-1]: key}


def created_is_returned(api: Api, collection: str) -> None:
    """What was sent comes back."""
    body = fresh(operation_of("POST", collection)["full_body"])
    got = api.create(collection, body)
    assert not echoed(body, got), echoed(body, got)


def creator_is_the_caller(api: Api, collection: str, owner: str) -> None:
    """Who creates something is named as the one whose it is."""
    made = api.create(collection)
    if api.registered is None:
        pytest.skip("whose credential API_TOKEN is, is not known")
    named = object_in(made, owner)
    assert named is not None, f"{owner} is not returned"
    assert not echoed(api.registered, named), echoed(api.registered, named)


def created_can_be_read(api: Api, collection: str, item: str) -> None:
    """What was created is read back as it was returned."""
    name = parameters_in(item)[-1]
    made = api.create(collection, operation_of("POST", collection)["full_body"])
    got = api.send("GET", item, path_params=_params(item, find(made, name), api), auth=_auth("GET", item))
    assert got.ok, f"{got.asked}: {got.status}"
    assert steady(got.json) == steady(made)


def created_is_listed(api: Api, collection: str, name: str) -> None:
    """What was created is in the listing, and the newest is among the first."""
    made = api.create(collection)
    got = api.send(
        "GET", collection, path_params=dict.fromkeys(parameters_in(collection)), auth=_auth("GET", collection)
    )
    assert got.ok, f"{got.asked}: {got.status}"
    assert item_in(got.json, name, find(made, name)) is not None, f"{name} {find(made, name)!r} is not listed"


def newest_is_listed_first(api: Api, collection: str, name: str) -> None:
    """Of two things, the one that was created later is listed before the other."""
    first, second = (find(api.create(collection), name) for _ in range(2))
    got = api.send(
        "GET", collection, path_params=dict.fromkeys(parameters_in(collection)), auth=_auth("GET", collection)
    )
    keys = [one.get(name) for one in items_of(got.json) if isinstance(one, dict)]
    assert keys.index(second) < keys.index(first)


def listing_counts(api: Api, collection: str, count: str) -> None:
    """The number that comes with a listing grows by one when one thing is created, and is not cut by a limit."""
    before = find(api.send("GET", collection, auth=_auth("GET", collection)).json, count)
    api.create(collection)
    after = find(api.send("GET", collection, auth=_auth("GET", collection)).json, count)
    assert (before, after) == (before, before + 1)


def limit_is_kept(api: Api, collection: str, parameter: str) -> None:
    """A listing is no longer than its limit."""
    for _ in range(3):
        api.create(collection)
    for limit in (1, 2):
        got = api.send("GET", collection, query={parameter: limit}, auth=_auth("GET", collection))
        assert got.ok, f"{got.asked}: {got.status}"
        assert len(items_of(got.json)) == limit


def offset_skips(api: Api, collection: str, parameter: str, name: str) -> None:
    """An offset of one leaves out the first of the listing."""
    for _ in range(3):
        api.create(collection)
    whole = items_of(api.send("GET", collection, auth=_auth("GET", collection)).json)
    rest = items_of(api.send("GET", collection, query={parameter: 1}, auth=_auth("GET", collection)).json)
    assert [one[name] for one in rest[:2]] == [one[name] for one in whole[1:3]]


def filter_selects(api: Api, collection: str, parameter: str, name: str) -> None:
    """A filter lists what has the value, and nothing else; a value that nothing has lists nothing."""
    made = api.create(collection, fresh_lists(operation_of("POST", collection)["full_body"]))
    api.create(collection)
    value = filter_value(made, parameter)
    assert value is not None, f"no value to filter by {parameter}"
    got = api.send("GET", collection, query={parameter: value}, auth=_auth("GET", collection))
    found = items_of(got.json)
    assert item_in(got.json, name, find(made, name)) is not None
    assert all(value in str(one) for one in found), f"{parameter}={value} lists others too"
    none = api.send("GET", collection, query={parameter: "no-such-value"}, auth=_auth("GET", collection))
    assert items_of(none.json) == []


def updated_is_kept(api: Api, collection: str, item: str, method: str, prop: str) -> None:
    """A change of one property is returned, is read back, and leaves the others alone."""
    name = parameters_in(item)[-1]
    made = api.create(collection, operation_of("POST", collection)["full_body"])
    body = changed(operation_of(method, item)["full_body"], prop)
    got = api.send(method, item, path_params=_params(item, find(made, name), api), auth=_auth(method, item), body=body)
    assert got.ok, f"{got.asked}: {got.status} {got.text[:200]}"
    assert not echoed(body, got.json), echoed(body, got.json)
    key = find(got.json, name) or find(made, name)
    again = api.send("GET", item, path_params=_params(item, key, api), auth=_auth("GET", item))
    assert steady(again.json) == steady(got.json)
    untouched = echoed(_without(made, prop, name), got.json)
    assert not untouched, f"other properties changed: {untouched}"


def deleted_is_gone(api: Api, collection: str, item: str) -> None:
    """What was deleted cannot be read, is not listed, and cannot be deleted again."""
    name = parameters_in(item)[-1]
    made = api.create(collection)
    params = _params(item, find(made, name), api)
    first = api.send("DELETE", item, path_params=params, auth=_auth("DELETE", item))
    assert first.ok, f"{first.asked}: {first.status}"
    if readable(item):
        api.send("GET", item, path_params=params, auth=_auth("GET", item)).expect(*MISSING)
    if readable(collection):
        own = dict.fromkeys(parameters_in(collection))
        got = api.send("GET", collection, path_params=own, auth=_auth("GET", collection))
        assert item_in(got.json, name, find(made, name)) is None, "it is still listed"
    api.send("DELETE", item, path_params=params, auth=_auth("DELETE", item)).expect(*MISSING)


def others_may_not(api: Api, collection: str, item: str, method: str) -> None:
    """Somebody else's things can be neither changed nor deleted."""
    name = parameters_in(item)[-1]
    made = api.create(collection)
    params = _params(item, find(made, name), api)
    body = operation_of(method, item)["full_body"] if method != "DELETE" else None
    api.send(method, item, path_params=params, auth="other", body=body).expect(*REFUSED)
    if readable(item):
        got = api.send("GET", item, path_params=params, auth=_auth("GET", item))
        assert steady(got.json) == steady(made), "it was changed all the same"


def switch_turns_on_and_off(api: Api, path: str, item: str) -> None:
    """POST changes something that DELETE restores; both can be read back, and each may be repeated."""
    params = {name: api.existing(path, name) for name in parameters_in(path)}
    off = api.send("DELETE", path, path_params=params, auth="valid").json
    on = api.send("POST", path, path_params=params, auth="valid").json
    assert steady(on) != steady(off), "POST changes nothing"
    assert _true(on) > _true(off), "nothing is set by POST"
    if item:
        read = api.send("GET", item, path_params=params, auth="valid").json
        assert steady(read) == steady(on), "it is not kept"
    twice = api.send("POST", path, path_params=params, auth="valid").json
    assert steady(twice) == steady(on), "a repeated POST counts twice"
    assert steady(api.send("DELETE", path, path_params=params, auth="valid").json) == steady(off), (
        "DELETE does not restore"
    )
    if item:
        read = api.send("GET", item, path_params=params, auth="valid").json
        assert steady(read) == steady(off), "it is still kept"


def registering_twice_is_refused(api: Api, path: str) -> None:
    """The same person cannot register twice."""
    body = fresh(operation_of("POST", path)["body"])
    assert api.send("POST", path, body=body, unique=False).ok
    api.send("POST", path, body=body, unique=False).expect(400, 409, 422)


def login_needs_the_right_secret(api: Api, register: str, login: str) -> None:
    """Who registered can log in as the same person; with another secret nobody can, and nobody who never registered."""
    body = fresh(operation_of("POST", register)["body"])
    made = api.send("POST", register, body=body, unique=False)
    assert made.ok
    entry = overlay(operation_of("POST", login)["body"], body)
    got = api.send("POST", login, body=entry, unique=False)
    assert got.ok, f"{got.asked}: {got.status}"
    assert not echoed(body, got.json), echoed(body, got.json)
    api.send("POST", login, body=_spoiled(entry), unique=False).expect(400, 401, 403, 404, 422)
    api.send("POST", login, body=fresh(entry), unique=False).expect(400, 401, 403, 404, 422)


def own_account_is_own(api: Api, path: str) -> None:
    """The account that is read belongs to whose credential is sent."""
    api.credential()
    got = api.send("GET", path, auth="valid")
    assert got.ok, f"{got.asked}: {got.status}"
    assert api.registered is None or not echoed(api.registered, got.json), echoed(api.registered, got.json)


def own_account_is_updated(api: Api, path: str, method: str, prop: str) -> None:
    """A change of one property of the own account is returned and read back, and leaves the others alone."""
    before = api.send("GET", path, auth="valid").json
    body = changed(operation_of(method, path)["full_body"], prop)
    got = api.send(method, path, auth="valid", body=body)
    assert got.ok, f"{got.asked}: {got.status} {got.text[:200]}"
    assert not echoed(body, got.json), echoed(body, got.json)
    again = api.send("GET", path, auth="valid").json
    assert not echoed(body, again), echoed(body, again)
    assert not echoed(_without(before, prop, "token"), again), "other properties changed"


def object_in(value: Any, name: str) -> dict[str, Any] | None:
    """The first object that is a property of this name, wherever it lies."""
    if not isinstance(value, dict):
        return None
    own = value.get(name)
    return (
        own if isinstance(own, dict) else next((got for one in value.values() if (got := object_in(one, name))), None)
    )


def readable(path: str) -> bool:
    """Whether GET is described for the path."""
    try:
        operation_of("GET", path)
    except StopIteration:
        return False
    return True


def fresh_lists(body: Any) -> Any:
    """The body with a value of its own in every list of texts."""
    import uuid

    if isinstance(body, dict):
        return {key: fresh_lists(part) for key, part in body.items()}
    if isinstance(body, list) and all(isinstance(one, str) for one in body):
        return [f"value-{uuid.uuid4().hex[:12]}"]
    return body


def filter_value(made: Any, parameter: str) -> str | None:
    """The value of what was created that a filter of this name would select by."""
    word = parameter.lower()
    stack = [made]
    while stack:
        one = stack.pop(0)
        if not isinstance(one, dict):
            continue
        for key, value in one.items():
            low = key.lower()
            if low == word or low.startswith(word):
                if isinstance(value, list) and value:
                    return str(value[0])
                if isinstance(value, dict):
                    found = next((part for part in value.values() if isinstance(part, str)), None)
                    return find(value, "username") or find(value, "name") or find(value, "id") or found
                if isinstance(value, str | int) and not isinstance(value, bool):
                    return str(value)
            stack.append(value)
    return None


def _without(value: Any, *names: str) -> Any:
    """The value without some properties, and without what follows from them."""
    if isinstance(value, dict):
        return {
            key: _without(part, *names) for key, part in value.items() if key not in names and not key.endswith("At")
        }
    return value


def _true(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_true(part) for part in value.values())
    return int(value is True)


def _spoiled(body: Any, name: str = "") -> Any:
    if isinstance(body, dict):
        return {key: _spoiled(part, key) for key, part in body.items()}
    return f"{body}-wrong" if "pass" in name.lower() or "secret" in name.lower() else body
