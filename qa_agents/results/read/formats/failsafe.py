"""Failsafe's summary, which stands beside its JUnit XML and counts what is there (failsafe-summary.xsd)."""

from collections.abc import Iterator, Mapping

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import Item, Reading, whole_of
from qa_agents.results.read.xml import Part, content


def read_failsafe(parts: Iterator[Part], reading: Reading) -> Iterator[Item]:
    """No test of its own; but where it says that the run itself broke, or timed out, that is one broken result."""
    counts: dict[str, int] = {}
    for part in parts:
        if part.kind == "open" and part.tag == "failsafe-summary" and part.element.get("timeout") == "true":
            yield reading.result(name="(failsafe run)", outcome="error", message="The run timed out.")
        if part.kind == "close" and part.tag in ("completed", "errors", "failures", "skipped"):
            counts[part.tag] = whole_of(content(part.element)) or 0
        if part.kind == "close" and part.tag == "failureMessage" and content(part.element).strip():
            yield reading.result(name="(failsafe run)", outcome="error", details=content(part.element))
    said = ", ".join(f"{number} {name}" for name, number in counts.items())
    reading.note(f"A summary ({said}); the tests themselves stand in the TEST-*.xml files beside it.")


def _is_failsafe(root: str, _attributes: Mapping[str, str]) -> bool:
    return root == "failsafe-summary"


FAILSAFE = XmlFormat("Failsafe summary XML", _is_failsafe, read_failsafe)
