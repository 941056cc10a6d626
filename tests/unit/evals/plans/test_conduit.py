"""The tests that are exported for an API notice a fault that has nothing to do with statuses or shapes."""

import json
from pathlib import Path

from evals.plans.corpora import draft
from evals.suites.plan_api import run_plan_api
from qa_agents.plans.export import export_plan

_PERSON = {"type": "object", "required": ["username"], "properties": {"username": {"type": "string"}}}
_COMMENT = {
    "type": "object",
    "required": ["id", "body", "author"],
    "properties": {"id": {"type": "integer"}, "body": {"type": "string"}, "author": _PERSON},
}


def _body(name: str, schema: dict[str, object]) -> dict[str, object]:
    wrapped = {"type": "object", "required": [name], "properties": {name: schema}}
    return {"content": {"application/json": {"schema": wrapped}}}


def _text(*names: str) -> dict[str, object]:
    return {"type": "object", "required": [*names], "properties": {name: {"type": "string"} for name in names}}


API = {
    "openapi": "3.1.0",
    "info": {"title": "Conduit", "version": "1"},
    "paths": {
        "/users": {
            "post": {
                "requestBody": {"required": True, **_body("user", _text("username", "email", "password"))},
                "responses": {
                    "201": {"description": "User", **_body("user", _text("username", "email", "token"))},
                    "422": {"description": "Wrong"},
                },
            }
        },
        "/articles": {
            "post": {
                "security": [{"Token": []}],
                "requestBody": {"required": True, **_body("article", _text("title", "description", "body"))},
                "responses": {
                    "201": {"description": "Article", **_body("article", _text("slug", "title"))},
                    "401": {"description": "Unknown"},
                    "422": {"description": "Wrong"},
                },
            }
        },
        "/articles/{slug}/comments": {
            "parameters": [{"name": "slug", "in": "path", "required": True, "schema": {"type": "string"}}],
            "post": {
                "security": [{"Token": []}],
                "requestBody": {"required": True, **_body("comment", _text("body"))},
                "responses": {
                    "200": {"description": "Comment", **_body("comment", _COMMENT)},
                    "401": {"description": "Unknown"},
                    "404": {"description": "No such article"},
                    "422": {"description": "Wrong"},
                },
            },
        },
        "/articles/{slug}/comments/{id}": {
            "parameters": [
                {"name": "slug", "in": "path", "required": True, "schema": {"type": "string"}},
                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
            ],
            "delete": {
                "security": [{"Token": []}],
                "responses": {
                    "204": {"description": "Gone"},
                    "401": {"description": "Unknown"},
                    "403": {"description": "Not yours"},
                    "404": {"description": "No such comment"},
                },
            },
        },
    },
    "components": {
        "securitySchemes": {
            "Token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token xxxxxx`"}
        }
    },
}


def test_a_thing_that_is_said_to_be_somebody_elses_is_noticed(tmp_path: Path) -> None:
    export_plan(draft([("conduit.json", json.dumps(API).encode())]).plan, "pytest", tmp_path)
    found = run_plan_api(tmp_path, faults=["comment-wrong-author"])
    assert "creator_is_the_caller" in (tmp_path / "test_state.py").read_text()
    assert found.noticed == ["comment-wrong-author"]
