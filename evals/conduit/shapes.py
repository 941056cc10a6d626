"""Things as the API shows them."""

from datetime import UTC, datetime
from typing import Any

from evals.conduit.memory import Article, Comment, Memory, Person, token_of


def time_of_day() -> str:
    """The time of day as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def refusal(*reasons: str) -> dict[str, Any]:
    """The body of an answer that says no."""
    return {"errors": {"body": list(reasons)}}


def show_user(conduit: Memory, one: Person) -> dict[str, Any]:
    """One account as its owner sees it."""
    shown = {"email": one.email, "username": one.username, "bio": one.bio, "image": one.image, "token": token_of(one)}
    if conduit.fault == "user-drops-bio":
        del shown["bio"]
    return {"user": shown}


def show_profile(conduit: Memory, one: Person, viewer: Person | None) -> dict[str, Any]:
    """One person as others see them."""
    shown = {
        "username": one.username,
        "bio": one.bio,
        "image": one.image,
        "following": viewer is not None and one.username in viewer.follows,
    }
    if conduit.fault == "profile-without-following":
        del shown["following"]
    return shown


def show_article(conduit: Memory, one: Article, viewer: Person | None, *, whole: bool = True) -> dict[str, Any]:
    """One article as a viewer sees it; `whole` with its body."""
    fault = conduit.fault
    count: Any = len(one.favorited) + one.extra
    shown: dict[str, Any] = {
        "slug": one.slug,
        "title": one.title,
        "description": one.description,
        "tagList": [] if fault == "article-drops-tags" else one.tags,
        "createdAt": "yesterday" if fault == "article-wrong-date" else one.created,
        "updatedAt": one.updated,
        "favorited": viewer is not None and viewer.username in one.favorited,
        "favoritesCount": str(count) if fault == "article-count-is-text" else count,
        "author": show_profile(conduit, one.author, viewer),
    }
    if whole:
        shown["body"] = one.description if fault == "article-body-is-description" else one.body
    return shown


def show_comment(conduit: Memory, one: Comment, viewer: Person | None) -> dict[str, Any]:
    """One comment as a viewer sees it."""
    author = conduit.people[0] if conduit.fault == "comment-wrong-author" else one.author
    number: Any = str(one.id) if conduit.fault == "comment-id-is-text" else one.id
    return {
        "id": number,
        "createdAt": one.at,
        "updatedAt": one.at,
        "body": one.body,
        "author": show_profile(conduit, author, viewer),
    }
