"""Getting past incidents in: JSON Lines, JSON, CSV and Jira's exports, compressed or not, streamed row by row."""

from qa_agents.incidents.importers.reading import Format, RowStream, opened_rows, read_rows
from qa_agents.incidents.importers.rows import Row
from qa_agents.incidents.importers.run import ImportReport, Outcome, Progress, Rejection, Write, import_files

__all__ = [
    "Format",
    "ImportReport",
    "Outcome",
    "Progress",
    "Rejection",
    "Row",
    "RowStream",
    "Write",
    "import_files",
    "opened_rows",
    "read_rows",
]
