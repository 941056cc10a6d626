"""JUnit XML of what matters: a suite per kind, so that any CI system that shows test reports shows the judgement too.

New and failing tests are failures; suspected, still broken and flaking ones are skipped with the reason, so that they do not fail
a build a second time. In the shape of the Jenkins xUnit schema.
"""

import re
from xml.sax.saxutils import escape, quoteattr

from qa_agents.results.compare import Kind, TestChange
from qa_agents.results.summary import Summary

_SUITES: dict[Kind, str] = {
    "new": "newly broken",
    "failing": "failing",
    "suspected": "suspected",
    "still": "still broken",
    "flaky": "flaking",
    "missing": "did not run",
    "fixed": "mended",
}
_FAILS = ("new", "failing")
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(summary: Summary) -> str:
    """The XML document."""
    suites, causes = [], {name: cause for cause in summary.causes for name in cause.tests}
    tests = failures = 0
    for kind, title in _SUITES.items():
        changes = summary.comparison.of(kind)
        if not changes:
            continue
        failed = len(changes) if kind in _FAILS else 0
        skipped = len(changes) if not failed and kind != "fixed" else 0
        tests, failures = tests + len(changes), failures + failed
        cases = "".join(
            _case(change, causes[change.test_id].title if change.test_id in causes else "") for change in changes
        )
        suites.append(
            f'  <testsuite name={_attr(title)} tests="{len(changes)}" failures="{failed}" errors="0" skipped="{skipped}">\n'
            f"{cases}  </testsuite>\n"
        )
    head = f'<testsuites name={_attr(f"qa-agents {summary.run.run_id}")} tests="{tests}" failures="{failures}">\n'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{"".join(suites)}</testsuites>\n'


def _case(change: TestChange, title: str) -> str:
    suite, _, name = change.test_id.rpartition("::")
    head = f"    <testcase classname={_attr(suite or 'tests')} name={_attr(name)}"
    if change.kind == "fixed":
        return f"{head}/>\n"
    if change.kind in _FAILS:
        inner = f"<failure message={_attr(title or change.why)}>{escape(_clean(change.why))}</failure>"
    else:
        inner = f"<skipped message={_attr(change.why)}/>"
    return f"{head}>{inner}</testcase>\n"


def _attr(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
