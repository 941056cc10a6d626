"""How to run one failing test again, as far as its name and format tell. Every name is quoted for a POSIX shell."""

import re
from collections.abc import Callable
from shlex import quote

from qa_agents.results.schema import TestResult

_PYTHON_MODULE = re.compile(r"^(?:[a-z_]\w*\.)*(?:test_\w+|\w+_test)$")
_JAVA_CLASS = re.compile(r"^(?:[a-z_]\w*\.)*[A-Z]\w*$")
_PROJECT = re.compile(r"^(.*) \[([^\[\]]{1,60})\]$")
_SAFE_FILE = re.compile(r"^[\w./@+ -]{1,300}$")


def command_for(result: TestResult, flavour: str) -> str:
    """A command line, or "" where none can be known. Names that begin with a dash never become options."""
    made = _BY_FLAVOUR.get(flavour, _nothing)(result)
    return "" if "\n" in made or len(made) > 1_000 else made


def _nothing(_result: TestResult) -> str:
    return ""


def _pytest(result: TestResult) -> str:
    file = result.suite.partition("::")[0]
    return f"pytest {quote(result.test_id)}" if file.endswith(".py") and not file.startswith("-") else ""


def _junit(result: TestResult) -> str:
    """JUnit XML does not say who wrote it: Python by its module, Playwright by its file, Java by its class."""
    if re.search(r"\.(?:spec|test)\.[cm]?[jt]sx?$", result.suite):
        return _playwright(result) if _PROJECT.match(result.name) else _jest(result)
    parts = result.suite.split(".")
    for length in range(len(parts), 0, -1):
        if _PYTHON_MODULE.match(".".join(parts[:length])):
            path = "/".join(parts[:length]) + ".py"
            return f"pytest {quote('::'.join((path, *parts[length:], result.name)))}"
    if _JAVA_CLASS.match(result.suite) and re.fullmatch(r"\w+(?:\(\))?", result.name):
        return _maven(result)
    return ""


def _maven(result: TestResult) -> str:
    method = result.name.removesuffix("()")
    return f"mvn test -Dtest={quote(f'{result.suite}#{method}')}"


def _playwright(result: TestResult) -> str:
    found = _PROJECT.match(result.name)
    title, project = (found[1], found[2]) if found else (result.name, "")
    if not _is_file(result.suite):
        return ""
    only = f" --project={quote(project)}" if project else ""
    return f"npx playwright test {quote(result.suite)} --grep={quote(re.escape(title.rpartition(' › ')[2]))}{only}"


def _jest(result: TestResult) -> str:
    file = result.file or result.suite
    return f"npx jest {quote(file)} --testNamePattern={quote(re.escape(result.name))}" if _is_file(file) else ""


def _mocha(result: TestResult) -> str:
    full = f"{result.suite} {result.name}".strip()
    return f"npx mocha {quote(result.file)} --fgrep={quote(full)}" if _is_file(result.file) else ""


def _go(result: TestResult) -> str:
    pattern = "/".join(f"^{re.escape(part)}$" for part in result.name.split("/"))
    return f"go test {quote(result.suite)} -run={quote(pattern)}" if _is_file(result.suite) else ""


def _dart(result: TestResult) -> str:
    return f"dart test {quote(result.suite)} --plain-name={quote(result.name)}" if _is_file(result.suite) else ""


def _dotnet(result: TestResult) -> str:
    name = f"{result.suite}.{result.name}".strip(".").partition("(")[0]
    return f"dotnet test --filter={quote(f'FullyQualifiedName~{name}')}" if re.fullmatch(r"[\w.+`]+", name) else ""


def _ctest(result: TestResult) -> str:
    return f"ctest --output-on-failure -R {quote(f'^{re.escape(result.name)}$')}"


def _robot(result: TestResult) -> str:
    return f"robot --suite={quote(result.suite)} --test={quote(result.name)} ."


def _cucumber(result: TestResult) -> str:
    place = f"{result.file}:{result.line}" if result.line else result.file
    return f"cucumber {quote(place)}" if _is_file(result.file) else ""


def _bazel(result: TestResult) -> str:
    label = result.name.partition(" [")[0]
    return f"bazel test {quote(label)} --test_output=errors" if label.startswith(("//", "@")) else ""


def _is_file(name: str) -> bool:
    return bool(_SAFE_FILE.match(name)) and not name.startswith("-")


_BY_FLAVOUR: dict[str, Callable[[TestResult], str]] = {
    "JUnit XML": _junit,
    "pytest-json-report": _pytest,
    "pytest-reportlog": _pytest,
    "Playwright JSON": _playwright,
    "Jest JSON": _jest,
    "Mocha JSON": _mocha,
    "go test JSON lines": _go,
    "Dart/Flutter test JSON lines": _dart,
    "TRX": _dotnet,
    "NUnit 2 XML": _dotnet,
    "NUnit 3 XML": _dotnet,
    "xUnit.net v2+ XML": _dotnet,
    "CTest XML": _ctest,
    "Robot Framework XML": _robot,
    "Cucumber JSON": _cucumber,
    "Bazel build event JSON lines": _bazel,
}
