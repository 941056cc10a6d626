"""What the columns of a plain table hold: headers by any common name, lists in cells, unknown columns kept."""

import re
from collections.abc import Mapping, Sequence

from qa_agents.errors import InvalidInputError
from qa_agents.incidents.importers.rows import Record

ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "issuekey", "key", "bugid", "incidentid", "reportid", "ticketid", "issueid", "ticket", "bug",
           "number"),
    "summary": ("summary", "title", "shortdescription", "shortdesc", "subject", "headline"),
    "description": ("description", "body", "longdescription", "details", "text", "content"),
    "created": ("created", "createdat", "createddate", "creationdate", "datecreated", "opened", "openedat",
                "reportedon", "creationtime", "creationts", "submitted", "submittedon"),
    "product": ("product", "projectkey", "project", "productname"),
    "version": ("version", "affectsversion", "affectsversions", "affectedversion", "affectsversionss", "foundin"),
    "platform": ("platform", "os", "operatingsystem", "hardware"),
    "reporter": ("reporter", "reportedby", "author", "createdby", "submitter", "creator", "openedby"),
    "labels": ("labels", "label", "tags", "keywords"),
    "component": ("component", "components", "area", "module"),
    "severity": ("severity", "bugseverity", "sev"),
    "priority": ("priority", "prio"),
    "type": ("type", "issuetype", "kind", "tracker"),
    "status": ("status", "state", "bugstatus"),
    "resolution": ("resolution",),
    "resolved": ("resolved", "resolvedat", "resolutiondate", "dateresolved", "closed", "closedat", "closeddate",
                 "dateclosed", "fixeddate", "fixedat", "fixedon"),
    "updated": ("updated", "updatedat", "lastupdated", "modified", "changed", "lastmodified", "changeddate", "deltats"),
    "duplicate_of": ("duplicateof", "dupof", "duplicates", "dupeof"),
    "assignee": ("assignee", "assignedto", "owner", "assigned"),
    "resolution_note": ("resolutionnote", "resolutionnotes", "rootcause", "fixdescription", "closingcomment"),
}  # fmt: skip
"""The names a column goes by, without blanks and punctuation, the best first."""

_CANONICAL = {alias: field for field, aliases in ALIASES.items() for alias in aliases}
_LISTS = {"labels": re.compile(r"[;,]"), "component": re.compile(r"[;,]"), "duplicate_of": re.compile(r"[;,\s]")}
_CUSTOM = re.compile(r"custom field \((.{1,200})\)", re.IGNORECASE)

Pairs = Sequence[tuple[str, str]]
"""A row's headers and cells, blank cells left out."""


class Columns:
    """Which column holds what: the best alias of each field; every other column is kept under its own name."""

    def __init__(self, names: Sequence[str]) -> None:
        """Raises InvalidInputError unless there are columns for an id and for words."""
        present = [plain(custom_name(name) or name) for name in names]
        best = {field: next((alias for alias in aliases if alias in present), "") for field, aliases in ALIASES.items()}
        self._field_of = {
            name: field
            for name, alias in zip(names, present, strict=True)
            if (field := _CANONICAL.get(alias)) and (field in _LISTS or best[field] == alias)
        }
        found = set(self._field_of.values())
        if "id" not in found or not found & {"summary", "description"}:
            lacking = "an id" if "id" not in found else "a summary or description"
            raise InvalidInputError(
                f"It is read as CSV, and no column of its header holds {lacking} ({_listed(names)}).",
                hint="Name columns `id` and `summary`, or give JSON Lines.",
            )

    def dates(self) -> list[str]:
        """The headers of the columns that hold dates."""
        return [name for name, field in self._field_of.items() if field in ("created", "resolved", "updated")]

    def record(self, pairs: Pairs) -> Record:
        """A row as an incident's record. Lists are split at `;` or `,`; of a repeated column the first cell counts."""
        record: Record = {}
        lists: dict[str, list[str]] = {}
        for name, cell in pairs:
            field = self._field_of.get(name)
            if field in _LISTS:
                lists.setdefault(field, []).extend(split_list(cell, _LISTS[field]))
            elif field:
                record.setdefault(field, cell)
            else:
                record[name] = f"{record[name]}; {cell}" if name in record else cell
        if components := lists.pop("component", None):
            record["components"] = components
        return record | lists


def is_export(names: Sequence[str]) -> bool:
    """Whether this is the header of a table of issues rather than a line of prose."""
    try:
        Columns(names)
    except InvalidInputError:
        return False
    return len(names) > 2


def split_list(cell: str, separator: re.Pattern[str] = _LISTS["labels"]) -> list[str]:
    """The values in a cell, blanks off; where there is a `;`, commas belong to the values."""
    parts = cell.split(";") if ";" in cell else separator.split(cell)
    return [part.strip() for part in parts if part.strip()]


def plain(name: str) -> str:
    """A header without case, blanks and punctuation."""
    return "".join(filter(str.isalnum, name.casefold()))


def custom_name(name: str) -> str | None:
    """`X` of a header `Custom field (X)`, as Jira writes the site's own fields."""
    match = _CUSTOM.fullmatch(name.strip())
    return match[1] if match else None


def is_known(name: str) -> bool:
    """Whether a header is one of the aliases."""
    return plain(custom_name(name) or name) in _CANONICAL


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(ascii(name[:40]) for name in names[:8])
    return f"found: {shown}{', …' if len(names) > 8 else ''}"
