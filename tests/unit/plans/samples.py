"""Requirements made by hand, about the invented product Wickerbell."""

from typing import Any

from qa_agents.plans.schema import Question, Requirement, TestPlan
from qa_agents.plans.wording import digest


def requirement(quote: str, **values: Any) -> Requirement:
    """A requirement whose words are `quote`; everything else has a plain default."""
    fields: dict[str, Any] = {
        "id": f"REQ-{digest(quote)}",
        "source_id": "SRC-1",
        "block_ids": ["BLK-1"],
        "heading_path": ["Wickerbell", "Booking"],
        "quote": quote,
        "start": 0,
        "end": len(quote),
        "line": 1,
        "text": quote,
        "modality": "must",
        "hash": digest("hash", quote),
    }
    return Requirement(**{**fields, **values})


def question(about: Requirement, category: str, **values: Any) -> Question:
    """A question about a requirement with a plain default assumption."""
    fields: dict[str, Any] = {
        "id": f"Q-{digest(about.id, category)}",
        "requirement_ids": [about.id],
        "category": category,
        "text": "What then?",
        "impact": 2,
        "uncertainty": 2,
        "default_assumption": "Nothing is changed and the user is told.",
    }
    return Question(**{**fields, **values})


def plan(requirements: list[Requirement], **values: Any) -> TestPlan:
    """A plan that holds these requirements and whatever else is given."""
    return TestPlan(id="PLAN-1", title="Wickerbell", sources=[], requirements=requirements, **values)


PET: dict[str, Any] = {
    "method": "post",
    "path": "/clients/{client_id}/bookings",
    "parameters": [
        {"name": "client_id", "in": "path", "required": True, "schema": {"type": "integer"}},
        {"name": "notify", "in": "query", "description": "Send a confirmation", "schema": {"type": "boolean"}},
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["slot", "seats"],
                    "properties": {
                        "slot": {"type": "string", "format": "date-time"},
                        "seats": {"type": "integer", "minimum": 1, "maximum": 8},
                        "note": {"type": "string", "maxLength": 200},
                        "channel": {"type": "string", "enum": ["web", "phone"]},
                    },
                }
            }
        },
    },
    "responses": {
        "201": {
            "description": "Booked",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {"booking": {"type": "object", "properties": {"id": {"type": "integer"}}}},
                    }
                }
            },
        },
        "401": {"description": "Unknown caller"},
        "422": {"description": "Wrong values"},
    },
    "security": [{"token": []}],
}
