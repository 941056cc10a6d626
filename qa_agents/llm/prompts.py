"""Prompts as files: Markdown with front matter, `{{name}}` for inputs, untrusted ones between random delimiters.

    ---
    id: triage/relations            its place under the folder
    version: 1
    job: one sentence
    inputs:
      report: {untrusted: true, max_chars: 4000}
    output: Judgements              a shape of llm/answers.py, or `text`
    max_output_tokens: 600
    ---
    # system
    …
    # user
    {{report}}

Turns begin with a line `# system`, `# user` or `# assistant`; pairs of user and assistant before the last user turn are
examples. Only the last turn has inputs. There is no logic in a prompt.
"""

import difflib
import re
import secrets
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.llm.redact import redact
from qa_agents.llm.schema import Message, RenderedPrompt
from qa_agents.storage.canonical import digest_of

ROOMS = ("triage", "plan", "results", "chat")
DATA_RULE = "rules/data.md"
TEXT = "text"
_PLACEHOLDER = re.compile(r"\{\{([a-z][a-z_]{0,39})\}\}")
_TURN = re.compile(r"^# (system|user|assistant)[ \t]*$", re.MULTILINE)
_ID = re.compile(r"\A(?:triage|plan|results|chat)/[a-z][a-z-]{0,39}\Z")
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BETWEEN = "\x00"


class Input(BaseModel):
    """One input of a prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    untrusted: bool = True
    """Written by people or models: put between delimiters and declared to be data."""
    max_chars: int = Field(6_000, ge=1, le=100_000)
    """What is longer is cut, visibly."""


class Head(BaseModel):
    """The front matter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    version: int = Field(ge=1)
    job: str = Field(min_length=10, max_length=300)
    inputs: dict[str, Input]
    output: str
    max_output_tokens: int = Field(800, ge=1, le=16_384)


class Prompt:
    """One prompt, read and checked."""

    def __init__(self, text: str, rule: str, origin: Path) -> None:
        self.text, self.origin = text, origin
        self.head, body = _split(text, origin)
        self._turns = _turns(body, origin)
        self._rule = rule
        if told := self.faults():
            raise InvalidInputError(f"The prompt {origin} is wrong: {told[0]}.", hint="Correct the file.")

    @cached_property
    def sha256(self) -> str:
        """Of the file and of the rule about data: differs whenever a message would."""
        return digest_of([self.text, self._rule])

    def faults(self) -> list[str]:
        """What is wrong with it, each in a few words; none for a prompt that can be used."""
        found = []
        roles = [role for role, _ in self._turns]
        if roles[:1] != ["system"] or roles[1:] != ["user", "assistant"] * ((len(roles) - 2) // 2) + ["user"]:
            found.append("its turns must be system, then pairs of user and assistant, then user")
        used = set(_PLACEHOLDER.findall(self._turns[-1][1])) if self._turns else set()
        found += [f"{{{{{name}}}}} is no declared input" for name in sorted(used - set(self.head.inputs))]
        found += [f"the input {name} is never used" for name in sorted(set(self.head.inputs) - used)]
        earlier = "".join(text for _, text in self._turns[:-1])
        found += [f"{{{{{name}}}}} stands before the last turn" for name in _PLACEHOLDER.findall(earlier)]
        if "{{" in _PLACEHOLDER.sub("", "".join(text for _, text in self._turns)):
            found.append("two braces open something that is no input")
        return found

    def render(self, key: str | None = None, /, **inputs: str) -> RenderedPrompt:
        """Fill the inputs in: secrets and personal data replaced, control characters gone, untrusted ones fenced.

        `key` replaces the random part of the delimiters (for showing a prompt). Raises InvalidInputError for a missing or
        unknown input: those are the caller's names, never text from outside.
        """
        declared = self.head.inputs
        if set(inputs) != set(declared):
            wrong = ", ".join(sorted(set(inputs) ^ set(declared)))
            raise InvalidInputError(
                f"The prompt {self.head.id} needs other inputs: {wrong}.", hint="See `prompts show`."
            )
        values, placeholders = _safe({name: _cut(inputs[name], declared[name].max_chars) for name in sorted(inputs)})
        key = key or _unused_key(values)
        fenced = {name: _fenced(name, text, key) if declared[name].untrusted else text for name, text in values.items()}
        messages = [Message(role=role, text=text) for role, text in self._turns]
        last = _PLACEHOLDER.sub(lambda match: fenced[match[1]], messages[-1].text)
        messages[-1] = Message(role="user", text=last)
        if any(one.untrusted for one in declared.values()):
            rule = self._rule.replace("{{key}}", key)
            messages[0] = Message(role="system", text=f"{messages[0].text}\n\n{rule}")
        return RenderedPrompt(
            id=self.head.id,
            version=self.head.version,
            prompt_sha256=self.sha256,
            content_sha256=digest_of([self.sha256, values]),
            messages=tuple(messages),
            max_output_tokens=self.head.max_output_tokens,
            placeholders=placeholders,
        )


class Prompts:
    """The prompts that ship in `folder`, each replaced by the file of the same name in `own`, where there is one."""

    def __init__(self, folder: Path, own: Path | None = None) -> None:
        self._folder, self._own = folder, own
        self._read: dict[str, Prompt] = {}

    def ids(self) -> list[str]:
        """Every prompt's id, in order. A file of the team's own does not add one: nothing would ask for it."""
        return sorted(f"{room}/{path.stem}" for room in ROOMS for path in (self._folder / room).glob("*.md"))

    def get(self, prompt_id: str) -> Prompt:
        """The prompt in force, read once. Raises NotFoundError for an unknown id, InvalidInputError for a file that is wrong."""
        if prompt_id not in self._read:
            shipped, own = self.shipped(prompt_id), self._own_file(prompt_id)
            self._read[prompt_id] = self._replacing(shipped, own) if own else shipped
        return self._read[prompt_id]

    def shipped(self, prompt_id: str) -> Prompt:
        """The prompt as it ships. Raises NotFoundError for an unknown id."""
        if not _ID.match(prompt_id) or not (path := self._folder / f"{prompt_id}.md").is_file():
            raise NotFoundError(f"There is no prompt {prompt_id[:60]}.", hint="`qa-agents prompts list` names them.")
        return self._open(path, prompt_id)

    def render(self, prompt_id: str, **inputs: str) -> RenderedPrompt:
        """The prompt with its inputs filled in; see Prompt.render."""
        return self.get(prompt_id).render(**inputs)

    def diff(self, prompt_id: str) -> str:
        """What the team's own file changes, as a unified diff; empty where nothing is."""
        ours, theirs = self.shipped(prompt_id), self.get(prompt_id)
        return "".join(
            difflib.unified_diff(
                ours.text.splitlines(keepends=True),
                theirs.text.splitlines(keepends=True),
                str(ours.origin),
                str(theirs.origin),
            )
        )

    def foreign(self) -> list[str]:
        """Files of the own folder that replace nothing; a misspelt name is one."""
        if self._own is None or not self._own.is_dir():
            return []
        files = (path.relative_to(self._own).with_suffix("").as_posix() for path in self._own.rglob("*.md"))
        return sorted(set(files) - set(self.ids()))

    def _own_file(self, prompt_id: str) -> Path | None:
        path = self._own / f"{prompt_id}.md" if self._own else None
        return path if path is not None and path.is_file() else None

    def _replacing(self, shipped: Prompt, path: Path) -> Prompt:
        own = self._open(path, shipped.head.id)
        for what in ("inputs", "output"):
            mine, theirs = getattr(shipped.head, what), getattr(own.head, what)
            names = (set(mine), set(theirs)) if what == "inputs" else (mine, theirs)
            if names[0] != names[1]:
                raise InvalidInputError(
                    f"The prompt {path} has other {what} than the one it replaces.", hint="Keep them; change the words."
                )
        trusted = [name for name, one in own.head.inputs.items() if not one.untrusted]
        if released := [name for name in trusted if shipped.head.inputs[name].untrusted]:
            raise InvalidInputError(
                f"The prompt {path} declares {released[0]} trusted, which it is not.", hint="Set `untrusted: true`."
            )
        return own

    def _open(self, path: Path, prompt_id: str) -> Prompt:
        try:
            prompt = Prompt(path.read_text(encoding="utf-8"), self._rule, path)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"The prompt {path} cannot be read ({error}).", hint="Correct the file.") from None
        if prompt.head.id != prompt_id:
            raise InvalidInputError(
                f"The prompt {path} calls itself {prompt.head.id}.", hint="Id and place must agree."
            )
        return prompt

    @cached_property
    def _rule(self) -> str:
        return (self._folder / DATA_RULE).read_text(encoding="utf-8").strip()


def _split(text: str, origin: Path) -> tuple[Head, str]:
    import yaml

    parts = re.split(r"^---[ \t]*$", text, maxsplit=2, flags=re.MULTILINE)
    if len(parts) != 3 or parts[0].strip():
        raise InvalidInputError(f"The prompt {origin} has no front matter.", hint="It stands between two lines `---`.")
    try:
        said: Any = yaml.safe_load(parts[1])
        return Head.model_validate(said), parts[2]
    except yaml.YAMLError as error:
        told = str(error).splitlines()[0]
    except ValidationError as error:
        first = error.errors()[0]
        told = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    raise InvalidInputError(f"The front matter of {origin} is wrong: {told}.", hint="Correct the file.")


def _turns(body: str, origin: Path) -> list[tuple[str, str]]:
    pieces = _TURN.split(body)
    if pieces[0].strip() or len(pieces) < 5:
        raise InvalidInputError(f"The prompt {origin} has no turns.", hint="It needs `# system` and `# user`.")
    return [(role, text.strip()) for role, text in zip(pieces[1::2], pieces[2::2], strict=True)]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}\n[cut here: {len(text) - limit} more characters]"


def _safe(values: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The values redacted together, so that one secret has one placeholder, and without control characters."""
    clean = [_UNREADABLE.sub("", text.encode("utf-8", "replace").decode()) for text in values.values()]
    redacted = redact(f"\n{_BETWEEN}\n".join(clean))
    return dict(zip(values, redacted.text.split(f"\n{_BETWEEN}\n"), strict=True)), redacted.placeholders


def _unused_key(values: dict[str, str]) -> str:
    while any((key := secrets.token_hex(6)) in text for text in values.values()):
        pass
    return key if values else secrets.token_hex(6)


def _fenced(name: str, text: str, key: str) -> str:
    return f"<<<{name} {key}>>>\n{text}\n<<<end {key}>>>"
