"""Rows as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence

from qa_agents.llm.sanitise import spreadsheet_cell


def as_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """RFC 4180 with a header; every cell quoted and safe to open in a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    for row in rows:
        writer.writerow([spreadsheet_cell(value) for value in row])
    return out.getvalue()
