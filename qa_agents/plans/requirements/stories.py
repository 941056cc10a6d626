"""User stories, acceptance criteria in Given/When/Then, flows of steps, and scenarios of feature files."""

import re
from collections.abc import Sequence

from qa_agents.plans.read import Document
from qa_agents.plans.read.parsed import plain
from qa_agents.plans.requirements.drafts import Draft
from qa_agents.plans.requirements.ears import Shape
from qa_agents.plans.requirements.judge import is_negated
from qa_agents.plans.requirements.limits import fields_of
from qa_agents.plans.schema import Block, Condition, DecisionRule

STORY = re.compile(
    r"[*_]*as (?:an? |the )?(?P<actor>[^,\n]{2,80}?),?\s*[*_]*\s*I (?:want|need|would like|can|"
    r"should be able|must be able|wish)\b[*_]*\s*(?:to )?(?P<want>.{3,400}?)"
    r"(?:[,.;]?\s+[*_]*(?:so that|in order to|because)\b[*_]*\s*(?P<why>.{3,400}?))?[.\s]*\Z",
    re.IGNORECASE | re.DOTALL,
)
STEP = re.compile(r"[ \t>*_-]*(?P<key>given|when|then|and|but)\b[*_:]*\s+", re.IGNORECASE)
INLINE_STEP = re.compile(
    r"(?:\A|[\n,;.]\s*|\s)[*_]{0,2}(?P<key>Given|When|Then|And|But|GIVEN|WHEN|THEN|AND|BUT|given|"
    r"when|then)\b[*_]{0,2}[:,]?\s+"
)
FLOW = re.compile(
    r"\b(?:(?:main|basic|happy|normal|primary|typical) (?:flow|path|scenario|course)|user (?:flow|"
    r"journey)|flow of events|main success scenario|use case|workflow)\b",
    re.IGNORECASE,
)
ALTERNATE = re.compile(
    r"\b(?:altern\w*|exceptions?|extensions?|error|failure) (?:flows?|paths?|scenarios?|courses?)?", re.IGNORECASE
)
NUMBER = re.compile(r"\d{1,2}")
MOST_ROWS = 60


def story(draft: Draft, text: str) -> bool:
    """Whether the text is a user story; if so, the draft gets its parts."""
    match = STORY.match(text.strip())
    if not match:
        return False
    actor, want = plain(match.group("actor")), plain(match.group("want")).rstrip(" ,.")
    draft.shape = Shape("ubiquitous", actor, None, None, want)
    draft.data = {"story": {"role": actor, "want": want, "why": plain(match.group("why") or "")}}
    draft.kind = "functional"
    draft.fields = fields_of(want)
    return True


def steps_in(text: str) -> list[tuple[str, str]]:
    """(given|when|then, text) of the steps written in a text, `and` counted to what goes before; [] when they are not steps."""
    found = list(INLINE_STEP.finditer(text[:3000]))
    if not found or text[: found[0].start()].strip(" \t*_-"):
        return []
    steps: list[tuple[str, str]] = []
    for number, match in enumerate(found):
        end = found[number + 1].start() if number + 1 < len(found) else len(text)
        key = match.group("key").lower()
        if key in ("and", "but"):
            starts = match.start() == 0 or text[match.start()] in "\n,;."
            if not steps or not starts:
                if steps:
                    steps[-1] = (steps[-1][0], f"{steps[-1][1]} {text[match.start() : end].strip()}")
                continue
            key = steps[-1][0]
        steps.append((key, plain(text[match.end() : end]).strip(" ,.;")))
    kinds = [key for key, _ in steps]
    whole = "then" in kinds and ("given" in kinds or "when" in kinds) and kinds[0] in ("given", "when")
    return (
        steps
        if whole
        and ("given" in kinds or "\n" in text or text.lstrip("*_ ")[:4] in ("WHEN", "When", "when"))
        and kinds.count("then")
        else []
    )


def scenario_blocks(blocks: Sequence[Block], at: int) -> int:
    """How many blocks from here on are steps of one scenario, one step a block; 0 when they are not."""
    if not re.match(r"[*_ ]*(?:given|when)\b", blocks[at].text, re.IGNORECASE) or blocks[at].kind not in (
        "bullet",
        "paragraph",
    ):
        return 0
    count, has_then = 0, False
    for block in blocks[at : at + 30]:
        match = STEP.match(block.text)
        same = block.kind == blocks[at].kind and block.heading_path == blocks[at].heading_path
        if not match or not same or (count and has_then and match.group("key").lower() in ("given", "when")):
            break
        if (
            count
            and match.group("key").lower() == "given"
            and not re.match(r"[*_ ]*given", blocks[at].text, re.IGNORECASE)
        ):
            break
        has_then = has_then or match.group("key").lower() == "then"
        count += 1
    return count if has_then and count >= 2 else 0


def of_steps(draft: Draft, steps: Sequence[tuple[str, str]]) -> None:
    """Fill a draft in from steps."""
    parts = {
        key: " and ".join(text for kind, text in steps if kind == key) or None for key in ("given", "when", "then")
    }
    ears = "complex" if parts["given"] and parts["when"] else "event" if parts["when"] else "state"
    draft.shape = Shape(ears, None, parts["when"], parts["given"], parts["then"])  # type: ignore[arg-type]
    draft.negated = is_negated(parts["then"] or "")
    draft.data = {"scenario": [list(step) for step in steps]}
    draft.kind = "functional"
    draft.fields = fields_of(parts["then"] or "")


def of_scenario(document: Document, block: Block) -> Draft:
    """A scenario of a feature file; rows of its examples become decision rules."""
    draft = Draft(document, [block], block.start, block.end, "")
    kinds = {"Context": "given", "Action": "when", "Outcome": "then"}
    steps: list[tuple[str, str]] = []
    for step in [*block.data.get("background", []), *block.data.get("steps", [])]:
        key = kinds.get(str(step.get("type")), steps[-1][0] if steps else "given")
        steps.append((key, str(step.get("text", ""))))
    of_steps(draft, steps)
    told = "; ".join(f"{key} {text}" for key, text in steps)
    draft.text = f"{block.data.get('name') or 'Scenario'}: {told}"
    outcome = draft.shape.response if draft.shape else ""
    for table in block.data.get("examples", []):
        header = [str(name) for name in table.get("header", [])]
        for row in table.get("rows", [])[:MOST_ROWS]:
            named = dict(zip(header, map(str, row), strict=False))
            told_outcome = outcome or ""
            for name, value in named.items():
                told_outcome = told_outcome.replace(f"<{name}>", value)
            conditions = [
                Condition(name=name, value=value) for name, value in named.items() if f"<{name}>" not in (outcome or "")
            ]
            if conditions:
                draft.rules.append(DecisionRule(conditions=conditions, outcome=told_outcome, quote=""))
    draft.data["name"] = str(block.data.get("name", ""))
    return draft


def is_flow(path: Sequence[str]) -> bool:
    """Whether a list under these headings is a flow of steps."""
    return bool(path) and bool(FLOW.search(path[-1])) and not ALTERNATE.search(path[-1])


def alternate_of(path: Sequence[str]) -> int | None:
    """The step at which the flow under these headings leaves the main one; None when it is no alternate flow."""
    if (
        not path
        or not ALTERNATE.search(path[-1])
        or not re.search(r"\b(?:flow|path|scenario|course|extension|exception|alternat)", path[-1], re.IGNORECASE)
    ):
        return None
    number = NUMBER.search(path[-1])
    return int(number.group()) if number else 1
