"""The certificate of a quality gate: what was promised, measured, decided and by whom, in a form that can be checked again.

Its JSON is sealed by a digest over everything in it; its page is drawn from the JSON alone and holds it, so that a byte that
was changed shows. A digest can be made anew by whoever changes a file: a certificate is good because the ledger holds its digest.
Pure: workspaces, files and the clock come from the caller.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape, unescape
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from qa_agents.checkpoint.markup import Markup, Writer, document, tag
from qa_agents.checkpoint.schema import Decision
from qa_agents.errors import InvalidInputError
from qa_agents.results.gates import Judged, Outcome, judge, load_gates, must_stop, overall
from qa_agents.results.schema import RunInfo
from qa_agents.storage.artifacts import sha256_hex
from qa_agents.storage.canonical import canonical_json, digest_of

SCHEMA_VERSION: Literal[1] = 1
MAX_BYTES = 50_000_000
Standing = Literal["passed", "signed", "refused"]
"""passed: every gate is green or waived in the gate file; signed: somebody took accountability; refused: somebody did not."""
WORDS: dict[Outcome, str] = {"green": "kept", "red": "BROKEN", "undecided": "UNDECIDED", "waived": "waived"}
_STANDINGS: dict[Standing, str] = {
    "passed": "Every promise is kept or waived.",
    "signed": "Promises are broken or open; a person signed for it.",
    "refused": "Promises are broken or open; a person refused to sign.",
}
_HELD = re.compile(r'<pre id="certificate">(.*?)</pre>', re.DOTALL)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Input(_Part):
    """One file that the run was read from."""

    name: str
    sha256: str


class Entry(_Part):
    """The ledger's entry that closed the account of the run; everything before it is covered by its hash."""

    seq: int
    hash: str


class Certificate(_Part):
    """Everything that is certified. `sha256` seals it."""

    schema_version: Literal[1] = SCHEMA_VERSION
    what: Literal["quality gate certificate"] = "quality gate certificate"
    run: RunInfo
    run_sha256: str
    """Digest of the run's content as the store keeps it."""
    inputs: tuple[Input, ...]
    baseline: str
    gates_name: str
    gates_sha256: str
    gates_text: str
    """The gate file itself, so that what was promised can be read when the file is gone."""
    judged: tuple[Judged, ...]
    judged_at: AwareDatetime
    outcome: Outcome
    standing: Standing
    decision: Decision | None
    summary_sha256: str
    account: str
    """The run of qa-agents that this is about; another one about the same test run voids it."""
    ledger: Entry
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")


class Check(BaseModel):
    """One thing that was checked again."""

    model_config = ConfigDict(frozen=True)

    name: str
    holds: bool | None
    """None: it could not be checked, and `says` why."""
    says: str


def seal(certificate: Certificate) -> Certificate:
    """The certificate with the digest over everything else in it."""
    return certificate.model_copy(update={"sha256": digest_of(_content(certificate))})


def standing_of(judged: tuple[Judged, ...], decision: Decision | None) -> Standing:
    """What the gates and the decision make of it. Raises InvalidInputError where a person must still decide."""
    if not must_stop(judged):
        return "passed"
    if decision is None or decision.verdict not in ("sign", "reject"):
        raise InvalidInputError("Nobody has signed or refused yet.", hint="`qa-agents review list` shows what waits.")
    return "signed" if decision.verdict == "sign" else "refused"


def to_json(certificate: Certificate) -> bytes:
    """One line of JSON: the same certificate is the same bytes."""
    return canonical_json(certificate.model_dump(mode="json")) + b"\n"


def read_certificate(body: bytes, name: str) -> tuple[Certificate, list[Check]]:
    """A certificate from its JSON or its page, with what the form itself says. Raises InvalidInputError when it is neither."""
    if len(body) > MAX_BYTES:
        raise InvalidInputError(f"{name} is larger than a certificate can be.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name} is no certificate: it is not UTF-8 at byte {error.start}.") from None
    held = _HELD.search(text)
    try:
        found = Certificate.model_validate_json(unescape(held.group(1)) if held else text)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"msg": "nested too deeply", "loc": ()}
        where = ".".join(map(str, first["loc"]))[:120]
        raise InvalidInputError(
            f"{name} is no certificate of this release: {first['msg']}{f' at {where}' if where else ''}.",
            hint="Give the .json or the .html that `qa-agents gate certificate` wrote.",
        ) from None
    expected = page(found) if held else to_json(found).decode()
    return found, [_same_text(text, expected, "page" if held else "JSON")]


def checks(certificate: Certificate, now: datetime) -> Iterator[Check]:
    """What can be checked without anything but the certificate: seal, gate file, outcomes, decision, waivers."""
    good = certificate.sha256 == digest_of(_content(certificate))
    yield Check(
        name="seal",
        holds=good,
        says="The content is what was sealed."
        if good
        else "The content is not what was sealed: something was changed.",
    )
    yield from _promises(certificate)
    yield _decided(certificate)
    yield from _waivers(certificate, now)


def page(certificate: Certificate) -> str:
    """The certificate as one page, with its JSON at the end; nothing is loaded, no script is needed."""
    write = Writer(lambda text: text)
    name = certificate.run.run_id
    rows = [
        (one.gate.name, _mark(one.outcome), one.gate.promise, _measured(one), one.because, one.gate.owner)
        for one in certificate.judged
    ]
    held = escape(to_json(certificate).decode().strip().encode("ascii", "backslashreplace").decode(), quote=False)
    parts = [
        tag("header", Markup(f"<h1>{write.text(f'Quality gate: {name}')}</h1>{_headline(certificate)}")),
        tag("h2", "The promises"),
        write.table(
            "Held against bounds, not against points", ("gate", "", "promise", "measured", "why", "owner"), rows
        ),
        tag("h2", "Who stands for it"),
        _people(write, certificate),
        tag("h2", "What it rests on"),
        write.pairs(_sources(certificate)),
        write.table(
            "Files that were read",
            ("file", "SHA-256"),
            ((one.name, tag("code", one.sha256)) for one in certificate.inputs),
        ),
        tag("h2", "Check it again"),
        tag("p", "qa-agents gate verify certificate.html (or the .json) says whether all of this still holds."),
        Markup(f"<details><summary>The gate file</summary><pre>{write.text(certificate.gates_text)}</pre></details>"),
        Markup(f'<details><summary>The record that is sealed</summary><pre id="certificate">{held}</pre></details>'),
    ]
    return document(write.text(f"Quality gate of {name}"), tag("main", Markup("\n".join(parts))))


def _content(certificate: Certificate) -> dict[str, Any]:
    return certificate.model_dump(mode="json", exclude={"sha256"})


def _same_text(given: str, expected: str, what: str) -> Check:
    if given == expected or given.rstrip() == expected.rstrip():
        return Check(name="form", holds=True, says=f"The {what} says what the record says.")
    lines = zip(given.splitlines(), expected.splitlines(), strict=False)
    number = next((n for n, (one, other) in enumerate(lines, start=1) if one != other), 0)
    where = f"line {number}" if number else "its length"
    return Check(
        name="form", holds=False, says=f"The {what} is not what was written: it differs from the record at {where}."
    )


def _promises(certificate: Certificate) -> Iterator[Check]:
    same = sha256_hex(certificate.gates_text.encode()) == certificate.gates_sha256
    yield Check(
        name="gate file",
        holds=same,
        says="The gate file is the one that was used." if same else "The gate file was changed.",
    )
    try:
        file = load_gates(certificate.gates_text.encode(), certificate.gates_name)
    except InvalidInputError as error:
        yield Check(name="promises", holds=False, says=str(error))
        return
    if [one.gate for one in certificate.judged] != file.gate:
        yield Check(name="promises", holds=False, says="The promises are not those of the gate file.")
        return
    for one in certificate.judged:
        again = judge(one.gate, one.measured, file.waiver, now=certificate.judged_at, missing=_missing(one))
        if again.outcome != one.outcome:
            says = f"{one.gate.name} is called {one.outcome}, but its numbers make it {again.outcome}."
            yield Check(name="promises", holds=False, says=says)
            return
    good = overall(certificate.judged) == certificate.outcome
    says = f"{len(certificate.judged)} promises were judged again with the same outcome."
    yield Check(name="promises", holds=good, says=says if good else "The outcome is not that of the promises.")


def _missing(one: Judged) -> str:
    return one.because if one.measured is None else ""


def _decided(certificate: Certificate) -> Check:
    try:
        standing = standing_of(certificate.judged, certificate.decision)
    except InvalidInputError:
        return Check(name="decision", holds=False, says="A promise is broken or open, and nobody decided about it.")
    if standing != certificate.standing:
        return Check(name="decision", holds=False, says=f"It is called {certificate.standing}, but it is {standing}.")
    if standing == "refused":
        return Check(name="decision", holds=False, says=f"{_by(certificate)} refused to sign.")
    return Check(
        name="decision",
        holds=True,
        says="No signature was needed." if standing == "passed" else f"{_by(certificate)} signed.",
    )


def _waivers(certificate: Certificate, now: datetime) -> Iterator[Check]:
    used = [(one.gate.name, one.waiver.owner, one.waiver.expires) for one in certificate.judged if one.waiver]
    used += [
        (one.item, one.owner, one.expires) for one in (certificate.decision.waivers if certificate.decision else ())
    ]
    lapsed = [(item, owner, expires) for item, owner, expires in used if expires <= now]
    for item, owner, expires in lapsed:
        day = expires.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        yield Check(
            name="waivers", holds=False, says=f"The waiver of {item} by {owner} ended at {day} and counts no more."
        )
    if used and not lapsed:
        yield Check(name="waivers", holds=True, says=f"{len(used)} in force.")


def _by(certificate: Certificate) -> str:
    return certificate.decision.reviewer if certificate.decision else "Nobody"


def _headline(certificate: Certificate) -> Markup:
    good = certificate.standing == "passed"
    counts = {word: sum(one.outcome == name for one in certificate.judged) for name, word in WORDS.items()}
    told = ", ".join(f"{count} {word.lower()}" for word, count in counts.items() if count)
    return Markup(tag("p", _STANDINGS[certificate.standing], "good" if good else "bad") + tag("p", told, "soft"))


def _mark(outcome: Outcome) -> Markup:
    return tag(
        "span", WORDS[outcome], "good" if outcome == "green" else "bad" if outcome in ("red", "undecided") else ""
    )


def _measured(one: Judged) -> str:
    if one.measured is None:
        return "–"
    return f"{one.measured}, n = {one.measured.n:,}" + (f" ({one.source})" if one.source else "")


def _people(write: Writer, certificate: Certificate) -> Markup:
    decision = certificate.decision
    if decision is None:
        return tag("p", "No signature was needed.")
    told = write.pairs(
        (
            (
                "Decided by",
                f"{decision.reviewer} ({decision.auth}{', ' if decision.roles else ''}{', '.join(decision.roles)})",
            ),
            ("Verdict", decision.verdict),
            ("Accountable", decision.accountable),
            ("In their words", decision.note),
        )
    )
    rows = [(one.item, one.owner, one.reason, _moment(one.expires)) for one in decision.waivers]
    return Markup(told + write.table("What they let pass", ("gate", "owner", "reason", "until"), rows))


def _sources(certificate: Certificate) -> Iterator[tuple[str, object]]:
    run = certificate.run
    yield (
        "Run",
        f"{run.run_id}{f', commit {run.commit}' if run.commit else ''}{f', branch {run.branch}' if run.branch else ''}",
    )
    yield "Compared with", certificate.baseline
    yield "Judged", _moment(certificate.judged_at)
    yield "Run, SHA-256", tag("code", escape(certificate.run_sha256))
    yield "Gate file", Markup(f"{escape(certificate.gates_name)} <code>{escape(certificate.gates_sha256)}</code>")
    yield "Ledger", Markup(f"entry {certificate.ledger.seq}, <code>{escape(certificate.ledger.hash)}</code>")
    yield "Seal", tag("code", escape(certificate.sha256))


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
