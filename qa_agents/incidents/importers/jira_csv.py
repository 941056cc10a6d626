"""Jira's CSV export: columns that repeat, localised dates, comments as `date;author;text`, links by type."""

from collections.abc import Sequence

from qa_agents.incidents.importers.jira_fields import Comment, closing_note, is_severity, with_environment
from qa_agents.incidents.importers.moments import parse_moment
from qa_agents.incidents.importers.rows import Record
from qa_agents.incidents.importers.table import Pairs, custom_name, plain, split_list

DATES_NOTE = "dates in Jira's CSV carry no time zone and were read as UTC"

_COLUMNS = {
    "id": ("issuekey", "key"),
    "summary": ("summary",),
    "product": ("projectkey", "project", "projectname"),
    "version": ("affectsversions", "affectsversion"),
    "priority": ("priority",),
    "type": ("issuetype",),
    "status": ("status",),
    "created": ("created",),
    "updated": ("updated",),
    "resolved": ("resolved", "resolutiondate"),
    "assignee": ("assignee",),
    "reporter": ("reporter",),
}
_READ = frozenset(alias for aliases in _COLUMNS.values() for alias in aliases) | frozenset({
    "description", "environment", "components", "component", "labels", "label", "resolution", "comment",
    "comments", "reporterid", "securitylevel",
})  # fmt: skip
_BOOKKEEPING = frozenset({
    "assigneeid", "attachment", "creator", "creatorid", "duedate", "fixversions", "fixversion", "issueid",
    "lastviewed", "logwork", "originalestimate", "parent", "parentid", "parentkey", "parentsummary",
    "projectdescription", "projectlead", "projectleadid", "projecttype", "projecturl", "remainingestimate",
    "sprint", "statuscategory", "statuscategorychanged", "subtasks", "timespent", "votes", "watchers",
    "watchersid", "workratio", "σoriginalestimate", "σremainingestimate", "σtimespent", "rank",
})  # fmt: skip

_IGNORED = _READ | _BOOKKEEPING


def is_jira(names: Sequence[str]) -> bool:
    """Whether this header is that of Jira's CSV export."""
    return {"issuekey", "summary"} <= set(map(plain, names))


def date_columns(names: Sequence[str]) -> list[str]:
    """The headers of the columns that hold dates."""
    return [name for name in names if plain(name) in ("created", "updated", "resolved", "resolutiondate")]


def issue_record(pairs: Pairs) -> Record:
    """An incident's record from one row; blank cells are left out of `pairs`."""
    cells: dict[str, list[str]] = {}
    for name, cell in pairs:
        if custom_name(name) is None:
            cells.setdefault(plain(name), []).append(cell)
    record: Record = {field: _first(cells, *aliases) for field, aliases in _COLUMNS.items()}
    environment = (_first(cells, "environment") or "").strip()
    resolution = _first(cells, "resolution")
    record |= {
        "summary": (_first(cells, "summary") or "").strip(),
        "description": with_environment(_first(cells, "description") or "", environment),
        "components": [part.strip() for part in cells.get("components", []) + cells.get("component", [])],
        "labels": [part for cell in cells.get("labels", []) for part in cell.split()],
        "severity": _severity(pairs),
        "resolution": None if resolution and resolution.strip().casefold() == "unresolved" else resolution,
        "duplicate_of": _linked(cells, "duplicate"),
        "resolution_note": _note(cells),
    }
    for name, kept in (("environment", environment), ("security", _first(cells, "securitylevel"))):
        if kept:
            record[name] = kept
    if cloned := _linked(cells, "cloners"):
        record["cloned_from"] = cloned
    return record | _own_columns(pairs, record)


def _first(cells: dict[str, list[str]], *names: str) -> str | None:
    return next((cells[name][0] for name in names if name in cells), None)


def _severity(pairs: Pairs) -> str | None:
    """A field called exactly `Severity` wins over, say, `Customer severity`."""
    named = sorted((len(name), name, cell) for name, cell in pairs if is_severity(name))
    return named[0][2] if named else None


def _linked(cells: dict[str, list[str]], type_name: str) -> list[str]:
    """Only outward links: the inward ones say it about the other issue."""
    found = [key for cell in cells.get(f"outwardissuelink{type_name}", []) for key in split_list(cell)]
    return list(dict.fromkeys(found))


def _note(cells: dict[str, list[str]]) -> str | None:
    reporters = set(cells.get("reporter", []) + cells.get("reporterid", []))
    try:
        resolved = parse_moment(_first(cells, "resolved", "resolutiondate"))
    except ValueError:
        return None
    return closing_note(map(_comment, cells.get("comment", []) + cells.get("comments", [])), reporters, resolved)


def _comment(cell: str) -> Comment:
    date, _, rest = cell.partition(";")
    author, _, text = rest.partition(";")
    try:
        return Comment(parse_moment(date), author.strip() or None, text)
    except ValueError:
        return Comment(None, None, cell)


def _own_columns(pairs: Pairs, taken: Record) -> Record:
    """The site's own columns, under the name people see; the cells of a repeated one as a list."""
    kept: dict[str, list[str]] = {}
    for name, cell in pairs:
        shown = custom_name(name)
        if shown is None and (plain(name) in _IGNORED or "issuelink" in plain(name)):
            continue
        if shown is None or shown.casefold() != "severity":
            kept.setdefault(shown or name.strip(), []).append(cell)
    return {name: cells[0] if len(cells) == 1 else cells for name, cells in kept.items() if name not in taken}
