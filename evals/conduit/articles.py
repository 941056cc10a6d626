"""Articles, their comments, favourites and tags."""

import re
from typing import Any

from evals.conduit.memory import Article, Comment, Memory, Person, RefusedError, Reply, Request
from evals.conduit.shapes import show_article, show_comment, time_of_day


def listing(conduit: Memory, request: Request) -> Reply:
    """GET /articles."""
    fault, query, viewer = conduit.fault, request.query, conduit.caller(request)
    found = list(reversed(conduit.articles))
    if "tag" in query and fault != "list-ignores-tag":
        found = [one for one in found if query["tag"] in one.tags]
    if "author" in query and fault != "list-ignores-author":
        found = [one for one in found if one.author.username == query["author"]]
    if "favorited" in query:
        found = [one for one in found if query["favorited"] in one.favorited]
    return 200, _page(conduit, found[::-1] if fault == "list-oldest-first" else found, query, viewer)


def feed(conduit: Memory, request: Request) -> Reply:
    """GET /articles/feed."""
    viewer = conduit.known(request, "feed-needs-no-token")
    found = [one for one in reversed(conduit.articles) if one.author.username in viewer.follows]
    return 200, _page(conduit, found, request.query, viewer)


def _page(conduit: Memory, found: list[Article], query: dict[str, str], viewer: Person | None) -> dict[str, Any]:
    fault = conduit.fault
    try:
        limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
    except ValueError:
        raise RefusedError(422, "limit and offset are numbers") from None
    if limit < 1 or offset < 0:
        raise RefusedError(422, "limit and offset are positive")
    start = 0 if fault == "list-ignores-offset" else offset
    page = found[start : start + (20 if fault == "list-ignores-limit" else limit)]
    shown = [show_article(conduit, one, viewer, whole=False) for one in page]
    if fault == "list-drops-author":
        for one in shown:
            del one["author"]
    return {"articles": shown, "articlesCount": min(len(page), 1) if fault == "list-count-is-page" else len(found)}


def write(conduit: Memory, request: Request) -> Reply:
    """POST /articles."""
    fault, author = conduit.fault, conduit.known(request, "article-needs-no-token")
    required = ("description", "body") if fault == "article-without-title" else ("title", "description", "body")
    given = request.body(conduit, "article", required, ("title", "tagList"))
    now, title = time_of_day(), str(given.get("title", ""))
    slug = f"{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}-{conduit.number()}"
    made = Article(slug, title, given["description"], given["body"], list(given.get("tagList", [])), author, now, now)
    if fault != "article-not-kept":
        conduit.articles.append(made)
    return 200 if fault == "article-answers-200" else 201, {"article": show_article(conduit, made, author)}


def read(conduit: Memory, request: Request) -> Reply:
    """GET /articles/{slug}."""
    return 200, {"article": show_article(conduit, conduit.article(request.path["slug"]), conduit.caller(request))}


def rewrite(conduit: Memory, request: Request) -> Reply:
    """PUT /articles/{slug}."""
    fault, viewer = conduit.fault, conduit.known(request)
    if fault == "update-unknown-creates" and not any(one.slug == request.path["slug"] for one in conduit.articles):
        return 200, {
            "article": show_article(
                conduit, Article(request.path["slug"], "t", "d", "b", [], viewer, time_of_day(), time_of_day()), viewer
            )
        }
    found = conduit.article(request.path["slug"])
    if found.author is not viewer and fault != "update-by-others":
        raise RefusedError(403, "not yours")
    given = request.body(conduit, "article", (), ("title", "description", "body"))
    for name in ("title", "description", "body"):
        if name in given and fault != f"update-ignores-{name}":
            setattr(found, name, given[name])
    if "title" in given and fault != "update-ignores-title":
        found.slug = f"{re.sub(r'[^a-z0-9]+', '-', found.title.lower()).strip('-')}-{conduit.number()}"
    if fault == "update-clears-description" and "description" not in given:
        found.description = ""
    found.updated = time_of_day()
    return 200, {"article": show_article(conduit, found, viewer)}


def remove(conduit: Memory, request: Request) -> Reply:
    """DELETE /articles/{slug}."""
    fault, viewer = conduit.fault, conduit.known(request, "delete-needs-no-token")
    found = conduit.article(request.path["slug"])
    if found.author is not viewer and fault not in ("delete-by-others", "delete-needs-no-token"):
        raise RefusedError(403, "not yours")
    if fault != "delete-keeps-article":
        conduit.articles.remove(found)
    return (200, {"deleted": True}) if fault == "delete-answers-200-with-body" else (204, None)


def comments(conduit: Memory, request: Request) -> Reply:
    """GET /articles/{slug}/comments."""
    found, viewer = conduit.article(request.path["slug"]), conduit.caller(request)
    kept = [] if conduit.fault == "comment-not-listed" else found.comments
    return 200, {"comments": [show_comment(conduit, one, viewer) for one in reversed(kept)]}


def add_comment(conduit: Memory, request: Request) -> Reply:
    """POST /articles/{slug}/comments."""
    viewer, found = conduit.known(request), conduit.article(request.path["slug"])
    given = request.body(conduit, "comment", () if conduit.fault == "comment-without-body" else ("body",), ("body",))
    made = Comment(conduit.number(), str(given.get("body", "")), viewer, time_of_day())
    found.comments.append(made)
    return 200, {"comment": show_comment(conduit, made, viewer)}


def remove_comment(conduit: Memory, request: Request) -> Reply:
    """DELETE /articles/{slug}/comments/{id}."""
    viewer, found = conduit.known(request), conduit.article(request.path["slug"])
    if not request.path["id"].isdigit():
        raise RefusedError(422, "id is a number")
    one = next((each for each in found.comments if each.id == int(request.path["id"])), None)
    if one is None:
        raise RefusedError(404, "no such comment")
    if one.author is not viewer and conduit.fault != "comment-delete-by-others":
        raise RefusedError(403, "not yours")
    if conduit.fault != "comment-delete-does-nothing":
        found.comments.remove(one)
    return 204, None


def favorite(conduit: Memory, request: Request) -> Reply:
    """POST /articles/{slug}/favorite."""
    fault, viewer, found = conduit.fault, conduit.known(request), conduit.article(request.path["slug"])
    if fault == "favorite-not-kept":
        shown = show_article(conduit, found, viewer)
        return 200, {"article": {**shown, "favorited": True, "favoritesCount": 1}}
    if fault == "favorite-counts-twice" and viewer.username in found.favorited:
        found.extra += 1
    if fault != "favorite-does-nothing":
        found.favorited.add(viewer.username)
    return 200, {"article": show_article(conduit, found, viewer)}


def unfavorite(conduit: Memory, request: Request) -> Reply:
    """DELETE /articles/{slug}/favorite."""
    viewer, found = conduit.known(request), conduit.article(request.path["slug"])
    if conduit.fault != "unfavorite-does-nothing":
        found.favorited.discard(viewer.username)
    return 200, {"article": show_article(conduit, found, viewer)}


def tags(conduit: Memory, _request: Request) -> Reply:
    """GET /tags."""
    found = sorted({tag for one in conduit.articles for tag in one.tags})
    return 200, {"tags": ", ".join(found) if conduit.fault == "tags-are-one-text" else found}
