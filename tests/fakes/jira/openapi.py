"""Every exchange with the stand-in, held against Atlassian's own description of the API."""

import json
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from tests.fakes.jira.server import Exchange, FakeJira

ROOT = Path(__file__).resolve().parents[3]

HOST = "https://your-domain.atlassian.net"


@cache
def description(path: Path) -> Any:
    """The checker for one document: takes about five seconds, once. Jira's dates are not RFC 3339, so any text is a date."""
    from openapi_core import Config, OpenAPI

    document = json.loads(path.read_text(encoding="utf-8"))
    document["components"].pop("securitySchemes", None)  # the server checks the credentials itself
    for operation in (
        one for methods in document["paths"].values() for one in methods.values() if isinstance(one, dict)
    ):
        operation.pop("security", None)
    return OpenAPI.from_dict(
        document,
        config=Config(
            spec_validator_cls=None,
            extra_format_validators={"date-time": lambda value: isinstance(value, str)},
        ),
    )


def objections(jira: FakeJira) -> list[str]:
    """What Atlassian's description objects to in all exchanges so far; Data Center has none. Warns where it is absent."""
    data = Path(os.environ.get("QA_AGENTS_DATA", ROOT / ".." / "shared" / "data")).resolve()
    folder = data / "jira" / "openapi"
    if not folder.is_dir():
        warnings.warn(f"NOT checked against Atlassian's description of the API: {folder} is absent", stacklevel=2)
        return []
    return violations(folder, jira.exchanges) if jira.site.cloud else []


def violations(folder: Path, exchanges: list[Exchange]) -> list[str]:
    """What the document objects to: in every request, and in every answer that is not a fault."""
    from openapi_core.exceptions import OpenAPIError
    from openapi_core.testing import MockRequest, MockResponse

    found = []
    for one in exchanges:
        name = "jira-platform-v2.derived.json" if "/rest/api/2/" in one.path else "jira-platform-v3.strict.json"
        api = description(folder / name)
        listed: dict[str, Any] = {key: value.split(",") if key in LISTS else value for key, value in one.query.items()}
        request = MockRequest(HOST, one.method, one.path, args=listed, data=one.body or None)
        response = MockResponse(one.answer, status_code=one.status)
        checks: list[tuple[str, Any]] = [("request", lambda: api.validate_request(request))]  # noqa: B023
        if one.fault is None and one.answer and one.status < 400:
            checks.append(("answer", lambda: api.validate_response(request, response)))  # noqa: B023
        for what, check in checks:
            try:
                check()
            except OpenAPIError as error:
                cause = error.__cause__ or error
                more = [str(e)[:300] for e in getattr(cause, "schema_errors", [])]
                found.append(f"{one.method} {one.path} {what}: {type(error).__name__} {cause} {more}"[:900])
    return found


LISTS = ("fields", "properties")
