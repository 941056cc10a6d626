"""Feature files, read by the format's own parser: one block a scenario, with its steps."""

from typing import Any

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parsed import Lines, Parsed, RawBlock, trimmed


def read_gherkin(text: str, limits: Limits) -> Parsed:
    """Scenarios with their steps, examples, tags and the steps of their background; raises InvalidInputError with the line."""
    from gherkin.errors import CompositeParserException, ParserError
    from gherkin.parser import Parser

    try:
        document: Any = Parser().parse(text)
    except CompositeParserException as error:
        first = error.errors[0] if error.errors else error
        raise InvalidInputError(f"The feature file cannot be read: {str(first)[:200]}.") from None
    except ParserError as error:
        raise InvalidInputError(f"The feature file cannot be read: {str(error)[:200]}.") from None
    lines = Lines(text)
    blocks: list[RawBlock] = []
    feature = document.get("feature")
    if feature:
        title = str(feature.get("name") or "Feature")[:200]
        _prose(text, lines, feature, [title], blocks)
        _children(text, lines, feature.get("children", []), [title], [], blocks)
    unread = [] if feature else ["The feature file holds no feature."]
    return Parsed("text/x-gherkin", text, blocks, unread)


def _prose(text: str, lines: Lines, node: Any, path: list[str], blocks: list[RawBlock]) -> None:
    """The free text under a feature or rule: user stories stand there."""
    if not node.get("description"):
        return
    first = lines.start(int(node["location"]["line"]))
    last = first + 2 * len(node["description"]) + 200
    children = [next(iter(child.values())) for child in node.get("children", [])]
    if children:
        tags = [tag["location"]["line"] for tag in children[0].get("tags", [])]
        last = lines.start(min([*tags, children[0]["location"]["line"]]) - 1)
    start, end = trimmed(text, first, min(last, len(text)))
    if start < end:
        blocks.append(RawBlock("paragraph", start, end, path))


def _children(
    text: str, lines: Lines, children: list[Any], path: list[str], before: list[dict[str, Any]], blocks: list[RawBlock]
) -> None:
    for child in children:
        if "background" in child:
            before = [*before, *_steps(child["background"])]
        elif "rule" in child:
            rule = child["rule"]
            title = str(rule.get("name") or "Rule")[:200]
            start = lines.start(int(rule["location"]["line"]) - 1)
            end = lines.start(int(rule["location"]["line"]))
            at = text.find(title[:50], start, end)
            if at != -1:
                blocks.append(RawBlock("paragraph", *trimmed(text, at, end), [*path, title], data={"rule": True}))
            _prose(text, lines, rule, [*path, title], blocks)
            _children(text, lines, rule.get("children", []), [*path, title], before, blocks)
        elif "scenario" in child:
            blocks.append(_scenario(text, lines, child["scenario"], path, before))


def _scenario(text: str, lines: Lines, scenario: Any, path: list[str], before: list[dict[str, Any]]) -> RawBlock:
    last = max([int(scenario["location"]["line"]), *_line_numbers(scenario)])
    start, end = trimmed(text, lines.start(int(scenario["location"]["line"]) - 1), lines.start(last))
    examples = [
        {
            "header": [cell["value"] for cell in (table.get("tableHeader") or {}).get("cells", [])],
            "rows": [[cell["value"] for cell in row["cells"]] for row in table.get("tableBody", [])],
        }
        for table in scenario.get("examples", [])
    ]
    data = {
        "name": scenario.get("name", ""),
        "background": before,
        "steps": _steps(scenario),
        "examples": examples,
        "tags": [tag["name"] for tag in scenario.get("tags", [])],
    }
    return RawBlock("scenario", start, end, path, data=data)


def _steps(node: Any) -> list[dict[str, Any]]:
    return [
        {"keyword": step["keyword"].strip(), "type": step.get("keywordType", ""), "text": step["text"]}
        for step in node.get("steps", [])
    ]


def _line_numbers(scenario: Any) -> list[int]:
    found: list[int] = []
    for step in scenario.get("steps", []):
        line = int(step["location"]["line"])
        found += [line, *(int(row["location"]["line"]) for row in (step.get("dataTable") or {}).get("rows", []))]
        if step.get("docString"):
            found.append(int(step["docString"]["location"]["line"]) + step["docString"]["content"].count("\n") + 2)
    for table in scenario.get("examples", []):
        found.append(int(table["location"]["line"]))
        found += [int(row["location"]["line"]) for row in table.get("tableBody", [])]
    return found
