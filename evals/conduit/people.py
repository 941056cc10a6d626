"""Accounts and profiles."""

from evals.conduit.memory import Memory, Person, RefusedError, Reply, Request, token_of
from evals.conduit.shapes import refusal, show_profile, show_user


def register(conduit: Memory, request: Request) -> Reply:
    """POST /users."""
    fault = conduit.fault
    required = ("username", "password") if fault == "register-without-email" else ("username", "email", "password")
    given = request.body(conduit, "user", () if fault == "register-ignores-types" else required)
    taken = any(one.email == given.get("email") or one.username == given.get("username") for one in conduit.people)
    if taken and fault != "register-keeps-duplicates":
        raise RefusedError(422, "has already been taken")
    name = str(given.get("username", ""))
    person = Person(
        str(given.get("email", "")),
        f"{name}x" if fault == "register-swaps-username" else name,
        str(given.get("password", "")),
    )
    conduit.people.append(person)
    shown = show_user(conduit, person)
    if fault == "register-drops-token":
        del shown["user"]["token"]
    return 200 if fault == "register-answers-200" else 201, shown


def login(conduit: Memory, request: Request) -> Reply:
    """POST /users/login."""
    fault = conduit.fault
    given = request.body(conduit, "user", ("email", "password"))
    if fault == "login-answers-500":
        return 500, refusal("oops")
    person = next((one for one in conduit.people if one.email == given["email"]), None)
    if person is None and fault == "login-takes-unknown-email" and conduit.people:
        return 200, show_user(conduit, conduit.people[0])
    if person is None or (person.password != given["password"] and fault != "login-takes-any-password"):
        raise RefusedError(401, "email or password is invalid")
    return 200, show_user(conduit, conduit.people[0] if fault == "login-gives-other-user" else person)


def own(conduit: Memory, request: Request) -> Reply:
    """GET /user."""
    person = conduit.known(request, "user-needs-no-token")
    return 200, show_user(conduit, conduit.people[0] if conduit.fault == "user-is-always-first" else person)


def change_own(conduit: Memory, request: Request) -> Reply:
    """PUT /user."""
    fault, person = conduit.fault, conduit.known(request)
    given = request.body(conduit, "user", (), ("email", "username", "password", "bio", "image"))
    kept = Person(**{**vars(person)}) if fault == "user-update-not-kept" else person
    for name in ("email", "username", "password", "bio", "image"):
        if name in given and fault != f"user-update-ignores-{name}":
            setattr(kept, name, given[name])
    if fault == "user-update-clears-image" and "image" not in given:
        person.image = "" if person.image else "cleared"
    shown = show_user(conduit, kept)
    shown["user"]["token"] = token_of(person)
    return 200, shown


def profile(conduit: Memory, request: Request) -> Reply:
    """GET /profiles/{username}."""
    if conduit.fault == "profile-unknown-is-empty":
        found = next((one for one in conduit.people if one.username == request.path["username"]), Person("", "", ""))
        return 200, {"profile": show_profile(conduit, found, None)}
    return 200, {"profile": show_profile(conduit, conduit.person(request.path["username"]), conduit.caller(request))}


def follow(conduit: Memory, request: Request) -> Reply:
    """POST /profiles/{username}/follow."""
    viewer, other = conduit.known(request, "follow-needs-no-token"), conduit.person(request.path["username"])
    if conduit.fault != "follow-does-nothing":
        viewer.follows.add(other.username)
    return 200, {"profile": show_profile(conduit, other, viewer)}


def unfollow(conduit: Memory, request: Request) -> Reply:
    """DELETE /profiles/{username}/follow."""
    viewer, other = conduit.known(request), conduit.person(request.path["username"])
    if conduit.fault != "unfollow-does-nothing":
        viewer.follows.discard(other.username)
    return 200, {"profile": show_profile(conduit, other, viewer)}
