"""Walks through documents block by block and drafts requirements, each with the context that its own words leave out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qa_agents.plans.read import Document
from qa_agents.plans.read.parsed import plain, spoken
from qa_agents.plans.requirements import code, stories
from qa_agents.plans.requirements import lexicon as words
from qa_agents.plans.requirements.clauses import clauses
from qa_agents.plans.requirements.drafts import Draft, explicit_id, finished
from qa_agents.plans.requirements.judge import Context, is_negated, judge, modality_of
from qa_agents.plans.requirements.operations import drafts_of_operation
from qa_agents.plans.requirements.rules import rules_of
from qa_agents.plans.requirements.sentences import split
from qa_agents.plans.requirements.tables import drafts_of_table, structured
from qa_agents.plans.schema import Block, FieldSpec, Requirement

LISTED_HEADINGS = re.compile(
    r"\b(?:acceptance criteria|(?:functional|non-functional|business|user|system|technical|security|"
    r"performance|quality)? ?requirements?|business rules|validation rules|"
    r"constraints|must[ -]haves?|should[ -]haves?|features|criteria|in scope|behaviou?rs?|rules)\W*$",
    re.IGNORECASE,
)
ENUM_LEAD = re.compile(
    r"\bone of the following\b|\bfollowing (?:\w+ )?(?:types?|values?|options?|formats?|states?|"
    r"statuses|currencies|languages|roles|categories)\b",
    re.IGNORECASE,
)
NEEDS_SUBJECT = re.compile(
    r"(?:it|they|this|these|that|those|its|their|should|must|shall|may|can|cannot|will|is|are|"
    r"always|never|also|not|no|defaults?)\b",
    re.IGNORECASE,
)
JOINED_LEAD = re.compile(rf"\b(?:{words.MODALS}|to|not|either|it|they|and|or)\s*:?\s*\Z", re.IGNORECASE)


@dataclass
class _Walk:
    """Where the reader stands."""

    document: Document
    drafts: list[Draft]
    lead: str = ""
    before: str = ""
    """The sentence before this one, in the same section."""
    last: Draft | None = None
    """The last statement of this section: examples that follow belong to it."""
    flow: Draft | None = None
    notation: bool = False
    """Whether the document marks examples as valid or invalid: then what it shows without a mark is valid input."""
    shown: dict[str, Any] | None = None
    """The example shown last, whose result may follow."""


def find_requirements(documents: Sequence[Document]) -> list[Requirement]:
    """Every requirement of the documents in reading order; `document.text[start:end] == quote` holds for each.

    Statements that are out of scope or give reasons are among them, with a kind that says so. The same content under the same
    headings is one requirement, wherever it stands; ids do not depend on order or white space.
    """
    drafts: list[Draft] = []
    for document in documents:
        drafts += _of_document(document)
    return finished(drafts)


def _of_document(document: Document) -> list[Draft]:
    blocks = document.blocks
    walk = _Walk(document, [], notation=any(code.marked_examples(one) for one in blocks if one.kind == "code"))
    at = 0
    while at < len(blocks):
        block = blocks[at]
        following = blocks[at + 1].kind if at + 1 < len(blocks) and blocks[at + 1].kind != "heading" else "end"
        taken = 1
        if block.kind == "heading":
            walk.lead, walk.before, walk.last, walk.shown = "", "", None, None
        elif block.kind == "operation":
            walk.drafts += drafts_of_operation(document, block)
        elif block.kind == "scenario":
            walk.drafts.append(stories.of_scenario(document, block))
        elif block.kind == "table_row":
            rows = _table(blocks, at)
            around = Context(tuple(block.heading_path))
            walk.drafts += _marked_scope(list(drafts_of_table(document, rows, around)), block)
            taken = len(rows)
        elif block.kind == "code":
            _code(walk, block, blocks[at - 1] if at else None)
        else:
            taken = _several(walk, blocks, at) or _prose(walk, block, following)
        at += taken
    return walk.drafts


def _table(blocks: Sequence[Block], at: int) -> list[Block]:
    rows = [blocks[at]]
    for block in blocks[at + 1 :]:
        if (
            block.kind != "table_row"
            or list(block.cells) != list(rows[0].cells)
            or block.heading_path != rows[0].heading_path
        ):
            break
        rows.append(block)
    return rows


def _marked_scope(drafts: list[Draft], block: Block) -> list[Draft]:
    if any(words.OUT_HEADINGS.search(title) for title in block.heading_path):
        for draft in drafts:
            draft.kind = "out_of_scope"
    elif any(words.RATIONALE_HEADINGS.search(title) for title in block.heading_path[-2:]):
        for draft in drafts:
            draft.kind = "rationale"
    return drafts


def _several(walk: _Walk, blocks: Sequence[Block], at: int) -> int:
    """Statements that stretch over several blocks: scenarios, flows, enumerations; 0 when there is none here."""
    block = blocks[at]
    count = stories.scenario_blocks(blocks, at)
    if count:
        parts = list(blocks[at : at + count])
        steps = [step for part in parts for step in _step(part, parts[0])]
        draft = Draft(
            walk.document, parts, parts[0].start, parts[-1].end, "; ".join(plain(part.text) for part in parts)
        )
        kinds: list[tuple[str, str]] = []
        for key, text in steps:
            kinds.append((kinds[-1][0] if key in ("and", "but") and kinds else key, text))
        stories.of_steps(draft, kinds)
        walk.drafts.append(draft)
        walk.last = draft
        return count
    if block.kind != "bullet":
        return 0
    items = _bullets(blocks, at)
    alternate = stories.alternate_of(block.heading_path)
    if len(items) >= 2 and stories.is_flow(block.heading_path):
        draft = Draft(
            walk.document,
            items,
            items[0].start,
            items[-1].end,
            f"{block.heading_path[-1]}: " + "; ".join(plain(item.text) for item in items),
        )
        draft.data = {"steps": [plain(item.text) for item in items]}
        draft.stated = plain(items[-1].text)
        walk.drafts.append(draft)
        walk.flow = walk.last = draft
        return len(items)
    if alternate is not None and walk.flow is not None:
        walk.flow.data.setdefault("alternates", []).append(
            {"at": alternate, "steps": [plain(item.text) for item in items]}
        )
        return len(items)
    return _enumeration(walk, items)


def _step(block: Block, first: Block) -> Iterator[tuple[str, str]]:
    match = stories.STEP.match(block.text)
    if match:
        inner = stories.steps_in(block.text)
        if inner:
            yield from inner
        else:
            yield match.group("key").lower(), plain(block.text[match.end() :]).rstrip(" .;,")


def _bullets(blocks: Sequence[Block], at: int) -> list[Block]:
    items = []
    for block in blocks[at:]:
        if block.kind != "bullet" or block.heading_path != blocks[at].heading_path:
            break
        items.append(block)
    return items


def _enumeration(walk: _Walk, items: list[Block]) -> int:
    """`Values must have one of the following types:` and a list of names: one statement with its values."""
    names = [plain(item.text).rstrip(" .;,") for item in items]
    if len(names) < 2 or not ENUM_LEAD.search(walk.lead) or any(len(name.split()) > 4 for name in names):
        return 0
    draft = walk.last
    if draft is None or plain(draft.quote).rstrip(":. ") != walk.lead.rstrip(":. "):
        draft = Draft(walk.document, items, items[0].start, items[-1].end, walk.lead)
        walk.drafts.append(draft)
    draft.blocks = [*draft.blocks, *[item for item in items if item not in draft.blocks]]
    draft.end = items[-1].end
    lead = walk.lead.rstrip(":. ")
    subject = draft.fields[0].name if draft.fields else _subject(lead)
    draft.text, draft.stated = f"{lead}: {', '.join(names)}", lead
    draft.fields = [FieldSpec(name=subject, enum=names, quote=draft.quote[:300])]
    draft.modality = modality_of(lead, Context())
    draft.kind = draft.kind or "data"
    walk.last = draft
    return len(items)


def _subject(lead: str) -> str:
    match = re.match(
        rf"(?:the |an? |each |every )?(.{{1,60}}?)\s+(?:{words.MODALS}|is|are|has|have)\b", lead, re.IGNORECASE
    )
    return match.group(1) if match else lead[:60]


def _prose(walk: _Walk, block: Block, following: str) -> int:
    text = block.text
    own_id, begin = explicit_id(text)
    draft = Draft(walk.document, [block], block.start + begin, block.end, plain(text[begin:]), explicit_id=own_id)
    scope = judge(text[begin:], Context(tuple(block.heading_path)))
    if scope.kind != "out_of_scope" and (stories.story(draft, text[begin:]) or _steps(draft, text[begin:])):
        walk.drafts.append(draft)
        walk.last, walk.lead = draft, ""
        return 1
    is_bullet = block.kind == "bullet"
    if not is_bullet:
        walk.lead = ""
    listed_here = is_bullet and any(LISTED_HEADINGS.search(title) for title in block.heading_path[-2:])
    sentences = split(text[begin:])
    for number, (start, end) in enumerate(sentences):
        sentence = text[begin + start : begin + end]
        context = Context(
            tuple(block.heading_path),
            is_bullet,
            walk.lead if is_bullet else "",
            following if number == len(sentences) - 1 else "text",
        )
        _sentence(
            walk,
            block,
            (begin + start, begin + end),
            context,
            own_id if number == 0 else None,
            bool(own_id) or listed_here,
        )
        walk.before = sentence
    if following == "bullet" and not is_bullet and sentences:
        walk.lead = plain(text[begin + sentences[-1][0] : begin + sentences[-1][1]])
    elif following == "bullet" and is_bullet and text.rstrip().endswith(":"):
        walk.lead = plain(text[begin:])
    return 1


def _steps(draft: Draft, text: str) -> bool:
    steps = stories.steps_in(text)
    if not steps or (not any(key == "given" for key, _ in steps) and "\n" not in text):
        return False
    stories.of_steps(draft, steps)
    return True


def _sentence(
    walk: _Walk, block: Block, span: tuple[int, int], context: Context, own_id: str | None, stated: bool
) -> None:
    sentence = block.text[span[0] : span[1]]
    verdict = judge(sentence, context)
    if (
        verdict.kind is None
        and stated
        and len(plain(sentence).split()) >= 2
        and not sentence.rstrip().endswith((":", "?"))
    ):
        verdict = replace(verdict, kind="functional", rule="listed as a requirement")
    if verdict.kind is None:
        return
    if verdict.kind in ("out_of_scope", "rationale"):
        draft = Draft(
            walk.document,
            [block],
            block.start + span[0],
            block.start + span[1],
            in_context(sentence, context, walk.before),
            kind=verdict.kind,
        )
        draft.explicit_id = own_id
        walk.drafts.append(draft)
        return
    for number, clause in enumerate(clauses(sentence)):
        start, end = block.start + span[0] + clause.start, block.start + span[0] + clause.end
        words_here = clause.said(sentence)
        told = spoken(words_here)
        draft = Draft(walk.document, [block], start, end, in_context(words_here, context, walk.before), stated=told)
        draft.explicit_id = own_id if number == 0 else None
        draft.modality, draft.negated = modality_of(told, context), is_negated(told)
        draft.rules = rules_of(told, spoken(walk.before))
        structured(draft, words_here)
        draft.fields = [_named_after(field, walk.last) for field in draft.fields]
        walk.drafts.append(draft)
        walk.last = draft


def _named_after(field: FieldSpec, last: Draft | None) -> FieldSpec:
    """`The default is EUR.` speaks of the field of the sentence before it."""
    if (
        last is None
        or not last.fields
        or field.name.lower() not in ("default", "minimum", "maximum", "limit", "default value", "length")
    ):
        return field
    return field.model_copy(update={"name": last.fields[0].name})


def in_context(sentence: str, context: Context, before: str) -> str:
    """The statement so that it can be read by itself: under its list's lead-in, its heading, or what `otherwise` turns round."""
    text = spoken(words.DIRECTIVE_TEXT.sub(" ", sentence))
    if re.match(r"(?:otherwise|else)\b", text, re.IGNORECASE) and before:
        return f"{spoken(before)} {text}"
    if context.bullet and context.ordered_lead:
        lead = context.ordered_lead.rstrip(": ")
        if JOINED_LEAD.search(lead):
            return f"{lead} {text}"
        return f"{lead}: {text}" if words.STRONG.search(lead) or words.WEAK.search(lead) or len(lead) <= 120 else text
    first = text.split(" ", 1)[0].strip("`*\"'").lower()
    heading = context.heading_path[-1].rstrip(": ") if context.heading_path else ""
    if LISTED_HEADINGS.search(heading):
        return text
    if heading and (
        NEEDS_SUBJECT.match(text)
        or first in words.THIRD
        or words.LABELLED.match(text)
        or len(text.split()) <= 4
        or text.startswith("`")
    ):
        return f"{heading}: {text}"
    return text


def _code(walk: _Walk, block: Block, previous: Block | None) -> None:
    examples = code.marked_examples(block)
    lead = previous.text if previous and previous.kind in ("paragraph", "bullet") else ""
    inner = walk.document.text[block.start : block.end].find(block.text)
    if inner >= 0 and (rows := code.escape_rows(block)):
        first = block.start + inner
        walk.drafts += [
            Draft(walk.document, [block], first + start, first + end, said, kind="data", stated=said)
            for start, end, said in rows
        ]
        return
    if not examples:
        shown = code.structure(block)
        title = " > ".join(block.heading_path[-2:])
        if (
            shown
            and (shown[0] == "schema" or code.SHOWS_STRUCTURE.search(f"{title} {lead[-200:]}"))
            and not re.search(r"\bJSON land|maps? to|equivalent\b", lead)
        ):
            names = ", ".join(field.name for field in shown[1][:20])
            draft = Draft(
                walk.document,
                [block],
                block.start,
                block.end,
                f"{title}: JSON with {names}",
                kind="interface",
                fields=shown[1],
            )
            draft.stated = f"{title} has the structure shown"
            walk.drafts.extend(_marked_scope([draft], block))
            return
        if walk.last is not None and walk.shown and code.SHOWS_RESULT.search(lead[-200:]):
            walk.shown["output"] = block.text.strip("\n")[: code.MOST_CHARS]
            walk.shown = None
            return
        single = code.plain_example(block) if walk.last is not None and not walk.last.negated else None
        if single and not walk.notation:
            single["valid"] = None
        walk.shown = single
        examples = [single] if single else []
    if not examples:
        return
    if walk.last is None:
        if examples[0].get("note") == "shown without a mark":
            return
        title = block.heading_path[-1] if block.heading_path else "Examples"
        walk.last = Draft(
            walk.document,
            [block],
            block.start,
            block.end,
            f"{title}: {'; '.join(example['text'] for example in examples)[:300]}",
            kind="data",
        )
        walk.drafts.append(walk.last)
    known = walk.last.data.setdefault("examples", [])
    known += [example for example in examples if example not in known][: code.MOST_EXAMPLES - len(known)]
