"""Which of Jira's fields hold what we name, how a value is shown, and how it is written: by id and schema, never by name."""

from collections.abc import Iterable, Mapping

from qa_agents.errors import InvalidInputError
from qa_agents.settings import JiraSettings
from qa_agents.trackers.jira_json import Json, at, items, table, text
from qa_agents.trackers.jira_text import inert, plain

SYSTEM_FIELDS = {
    "summary": "summary", "description": "description", "environment": "environment", "component": "components",
    "priority": "priority", "type": "issuetype", "assignee": "assignee", "status": "status", "version": "versions",
    "resolution": "resolution", "reporter": "reporter", "product": "project", "security": "security",
}  # fmt: skip
"""Our names to Jira's own ids, which are the same on every site."""
RENDERED = frozenset({"description", "environment"})
"""Written and read as wiki markup; every other text is shown as it is."""
WATCHED = ("attachment", "fixVersions", "parent")
"""Read besides, so that an issue's version moves with them."""
MAX_SUMMARY_CHARS = 255
_SHOWN_VALUES = 20
_ID_ONLY = frozenset({"option", "priority", "issuetype", "component", "version", "securitylevel"})


class FieldMap:
    """Our names for fields and Jira's ids for them, both ways."""

    def __init__(self, settings: JiraSettings) -> None:
        own = {"severity": settings.severity_field} if settings.severity_field else {}
        self.ids: dict[str, str] = {**SYSTEM_FIELDS, **own, **settings.fields}
        self._never = frozenset(settings.never)
        self._cloud = settings.deployment == "cloud"

    def asked(self) -> str:
        """What to ask of an issue, as Jira's `fields` parameter."""
        return ",".join(sorted({*self.ids.values(), *WATCHED, "labels", "issuelinks", "updated"}))

    def shown(self, fields: Mapping[str, Json]) -> dict[str, Json]:
        """The fields that hold something, under our names: a text, a number, or a list of texts where there are several."""
        found = {name: _shown_field(name, fields.get(field)) for name, field in self.ids.items()}
        return {name: value for name, value in found.items() if value not in (None, "", [])}

    def writable(self, name: str) -> str:
        """The id of the field that may be written under this name. Raises InvalidInputError."""
        if name not in self.ids:
            hint = "Set `jira.severity_field`." if name == "severity" else "Name its id under `jira.fields`."
            raise InvalidInputError(
                f"No field of this Jira is known as {name}.", hint=f"{hint} `qa-agents jira doctor` helps."
            )
        if self.ids[name] in self._never:
            raise InvalidInputError(f"The field {name} is never written.", hint="`jira.never` says so.")
        return self.ids[name]

    def encoded(self, name: str, value: Json, meta: Json) -> tuple[Json, Json]:
        """The value in Jira's form, and as it will be shown; `meta` is the field's entry of editmeta or createmeta.

        Raises InvalidInputError when the field does not take it; a value is told apart without regard to case.
        """
        kind, of = text(meta, "schema", "type") or "", text(meta, "schema", "items")
        if kind == "array":
            given = [str(one) for one in value] if isinstance(value, list) else [str(value)]
            pairs = [self._one(name, one, of or "", meta) for one in given if value is not None]
            said = [shown for _, shown in pairs]
            return [form for form, _ in pairs], said if len(said) > 1 else next(iter(said), None)
        return (None, None) if value is None else self._one(name, value, kind, meta)

    def _one(self, name: str, value: Json, kind: str, meta: Json) -> tuple[Json, str | float]:
        if kind == "string" and not items(meta, "allowedValues"):
            words = str(value)
            if name in RENDERED:
                return inert(words), words
            if (text(meta, "schema", "custom") or "").endswith(":textarea"):
                raise InvalidInputError(f"The field {name} is a rendered text of its own, which is not written.")
            return _one_line(words), _one_line(words)
        if kind == "number":
            try:
                return (number := float(str(value))), number
            except ValueError:
                raise InvalidInputError(f"The field {name} takes a number, not {value!s:.60}.") from None
        if kind == "user":
            return ({"accountId": str(value)} if self._cloud else {"name": str(value)}), str(value)
        if kind in _ID_ONLY or items(meta, "allowedValues"):
            chosen = _chosen(name, str(value), items(meta, "allowedValues"))
            said = shown_value(chosen)
            return {"id": text(chosen, "id") or ""}, str(said)
        raise InvalidInputError(f"The field {name} is of the type {kind or 'unknown'}, which is not written.")


def shown_value(value: Json) -> Json:
    """What people see of a value: the name of an object, the text of a body, one for a list of one. None when empty."""
    if isinstance(value, list):
        found = [one for one in map(shown_value, value) if one not in (None, "")]
        return found if len(found) > 1 else next(iter(found), None)
    if isinstance(value, Mapping):
        if value.get("type") == "doc":
            return plain(value)
        names = ("key",) if "projectTypeKey" in value else ("value", "name", "displayName", "key", "accountId", "id")
        return next((said for name in names if (said := text(value, name))), None)
    return value


def _shown_field(name: str, value: Json) -> Json:
    return plain(value) if name in RENDERED else shown_value(value)


def account_of(value: Json) -> str | None:
    """What names a person for good: the account id on Cloud, the login on Data Center."""
    return text(value, "accountId") or text(value, "name") or text(value, "key")


def candidates(fields: Iterable[Json], word: str) -> list[tuple[str, str, str]]:
    """(id, name, schema) of the custom fields whose name holds the word: to suggest, never to choose by."""
    return [
        (text(field, "id") or "", text(field, "name") or "", text(field, "schema", "custom") or "")
        for field in fields
        if at(field, "custom") is True and word in (text(field, "name") or "").casefold()
    ]


def field_by_id(fields: Iterable[Json], wanted: str) -> Json:
    """The entry of GET /field with this id, or None."""
    return next((field for field in fields if text(field, "id") == wanted), None)


def _chosen(name: str, value: str, allowed: Iterable[Json]) -> Json:
    known = {str(shown_value(option)): option for option in allowed if not at(option, "disabled")}
    for said, option in known.items():
        if said.casefold() == value.casefold():
            return option
    listed = ", ".join(list(known)[:_SHOWN_VALUES]) or "nothing"
    raise InvalidInputError(f"The field {name} does not take {value[:60]}.", hint=f"Allowed: {listed}.")


def _one_line(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= MAX_SUMMARY_CHARS else f"{line[: MAX_SUMMARY_CHARS - 1]}…"


def meta_by_id(page: Json, *path: str) -> dict[str, Json]:
    """Field entries of createmeta, which come as a list, by field id."""
    return {name: entry for entry in items(page, *path) if (name := text(entry, "fieldId") or text(entry, "key"))}


def edit_meta(answer: Json) -> Mapping[str, Json]:
    """Field entries of editmeta by field id."""
    return table(answer, "fields")
