"""Text from outside made safe for a spreadsheet; for other places see the table.

    place            made safe by                              what must not happen
    spreadsheet      llm/sanitise.py: spreadsheet_cell         a cell that is computed
    terminal         cli/text.py: printable, one_line          escape sequences, invisible characters
    HTML             checkpoint/markup.py: Writer, visible     live markup, hidden letters
    Markdown         results/report_formats/job_summary.py,    links, images, HTML
                     plans/export/documents.py: inline
    Jira             trackers/jira_text.py: inert              macros, mentions, links
    file names       trackers/file.py: FileTracker             another folder
    a model          llm/prompts.py                            text that passes for an instruction of ours

Each stands in the room that writes there; `tests/unit/test_sinks.py` puts the same hostile texts through all of them.
"""

import unicodedata

_COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n")
_KEPT = "\n\t"


def spreadsheet_cell(text: str) -> str:
    """The text for a spreadsheet cell: without control and invisible characters, and never computed.

    A cell that begins with what begins a formula, in full-width forms and behind blanks and quotes too, gets an apostrophe
    in front (OWASP, CSV Injection). Write cells with every field quoted: a semicolon separates cells in many countries.
    """
    clean = "".join(char for char in text if char in _KEPT or unicodedata.category(char) not in ("Cc", "Cf", "Cs"))
    begins = unicodedata.normalize("NFKC", clean[:50]).lstrip(" \"';,")
    return f"'{clean}" if clean.startswith(_COMPUTED) or begins.startswith(_COMPUTED) else clean
