"""A requirement in the making, and its last step: the quote is compared with the text before anything is believed."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from qa_agents.plans.read import Document
from qa_agents.plans.read.parsed import SPACE, Lines
from qa_agents.plans.requirements.ears import Shape, shape_of
from qa_agents.plans.requirements.kinds import kind_of
from qa_agents.plans.schema import (
    Block,
    DecisionRule,
    FieldSpec,
    Modality,
    Permission,
    Requirement,
    RequirementKind,
    Transition,
)

REFERENCE = re.compile(
    r"\b[A-Z]{1,6}-\d{1,5}(?:\.\d+)*\b|\b(?:[Ss]ection|[Cc]hapter|§)\s?(\d+(?:\.\d+)*)|\]\(#([\w-]{1,80})\)"
)
NOT_IDS = re.compile(
    r"(?:UTF|SHA|ISO|RFC|HTTP|HTTPS|WCAG|IEEE|MD|TLS|AES|OAUTH|BASE|EN|IEC|COVID|PCI|SOC|RSA|IPV|GPT|SQL|ASCII|CVE)[-_ ]?\d|"
    r"(?:ES|H|MP|E)\d",
    re.IGNORECASE,
)
EXPLICIT = re.compile(
    r"[*_`]{0,3}\[?(?P<id>[A-Z][A-Za-z]{0,9}(?:[-_.][A-Z][A-Z0-9]{0,8}){0,3}[-_ "
    r"]?\d{1,5}(?:[.-]\d{1,4}){0,4}[a-z]?|\d{1,3}(?:\.\d{1,3}){1,5})\]?[*_`]{0,3}"
    r"(?:\s*[:)|–—-]|\.(?=\s)|(?<=\])|(?<=\*\*)|(?P<bare>(?<=\d)(?=\s[A-Z])))[*_`]{0,3}\s*"
)
TEXT_CHARS = 2_000


@dataclass
class Draft:
    """Everything found about a statement; `start` and `end` are offsets in the document's text."""

    document: Document
    blocks: list[Block]
    start: int
    end: int
    text: str
    kind: RequirementKind | None = None
    explicit_id: str | None = None
    modality: Modality = "none"
    negated: bool = False
    shape: Shape | None = None
    fields: list[FieldSpec] = field(default_factory=list)
    rules: list[DecisionRule] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    stated: str = ""
    """The statement without added context; the text itself where that is the same."""

    @property
    def quote(self) -> str:
        """The words in the document."""
        return self.document.text[self.start : self.end]


def explicit_id(text: str) -> tuple[str | None, int]:
    """The author's own identifier at the start of a block, and where the statement begins behind it."""
    match = EXPLICIT.match(text[:80])
    if not match or NOT_IDS.match(match.group("id")) or not text[match.end() :].strip():
        return None, 0
    name = match.group("id")
    if match.group("bare") is not None and not re.match(r"[A-Z]{1,10}[-_]", name):
        return None, 0  # with nothing behind it only FR-1 is an identifier; 2.1 or Phase 2 may begin a sentence
    if name[0].isalpha() and not (name.split("-")[0].split("_")[0].rstrip("0123456789. ").isupper()):
        return None, 0
    return name.replace(" ", "-"), match.end()


def flat(text: str) -> str:
    """Whitespace collapsed, case folded: what ids and hashes rest on; the text has lost its marks already."""
    return SPACE.sub(" ", text).strip().casefold()


def finished(drafts: list[Draft]) -> list[Requirement]:
    """Requirements in the order of the drafts, each content once; a draft whose quote or id does not hold is left out."""
    made: list[Requirement] = []
    taken: set[str] = set()
    lines: dict[str, Lines] = {}
    for draft in drafts:
        if not _is_true(draft):
            continue
        key = "\x1f".join([flat(draft.text), *(flat(title) for title in draft.blocks[0].heading_path)])
        digest = hashlib.sha256(key.encode(errors="replace")).hexdigest()
        name = draft.explicit_id or f"REQ-{digest[:10]}"
        if draft.explicit_id and name in taken:
            name = f"{name}-{digest[:4]}"
        if name in taken:
            continue
        taken.add(name)
        source = draft.document.source.id
        if source not in lines:
            lines[source] = Lines(draft.document.text)
        made.append(_requirement(draft, name, lines[source].number(draft.start)))
    return made


def _is_true(draft: Draft) -> bool:
    """The quote stands in the document where it is said to stand, and its blocks hold it; never repaired."""
    if not 0 <= draft.start < draft.end <= len(draft.document.text) or not draft.text.strip() or not draft.blocks:
        return False
    return draft.blocks[0].start <= draft.start and draft.end <= draft.blocks[-1].end and bool(draft.quote.strip())


def _requirement(draft: Draft, name: str, line: int) -> Requirement:
    stated = draft.stated or draft.text
    shape = draft.shape or shape_of(SPACE.sub(" ", stated).strip())
    path = draft.blocks[0].heading_path
    kind = (
        draft.kind
        if draft.kind not in (None, "functional") or draft.transitions
        else kind_of(
            draft.text, path, draft.fields, (shape.response or "") if shape.trigger or shape.precondition else ""
        )
    )
    text = SPACE.sub(" ", draft.text).strip()[:TEXT_CHARS]
    structure = [
        [item.model_dump(mode="json", exclude={"quote"}) for item in part]
        for part in (draft.fields, draft.rules, draft.transitions, draft.permissions)
    ]
    data = {key: value for key, value in draft.data.items() if key != "places"}
    hashed = json.dumps([flat(text), structure, data], sort_keys=True, ensure_ascii=True, default=str)
    references = dict.fromkeys(
        next(filter(None, (match.group(1), match.group(2))), None) or match.group()
        for match in REFERENCE.finditer(draft.quote)
    )
    return Requirement(
        id=name,
        explicit_id=draft.explicit_id,
        source_id=draft.document.source.id,
        block_ids=[block.id for block in draft.blocks],
        heading_path=path,
        quote=draft.quote,
        start=draft.start,
        end=draft.end,
        line=line,
        text=text,
        ears=shape.ears,
        actor=shape.actor,
        trigger=shape.trigger,
        precondition=shape.precondition,
        response=shape.response,
        modality=draft.modality,
        negated=draft.negated,
        kind=kind or "functional",
        fields=draft.fields,
        rules=draft.rules,
        transitions=draft.transitions,
        permissions=draft.permissions,
        references=[item for item in references if item != draft.explicit_id and not NOT_IDS.match(item)][:20],
        data=data,
        hash=hashlib.sha256(hashed.encode()).hexdigest()[:16],
    )
