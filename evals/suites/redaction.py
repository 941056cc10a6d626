"""Secrets and personal data, found and hidden: `python -m evals redaction [--per-type N] [--seed S]`

Recall: secrets and personal data of each type are made up (check digits and all), put into sentences, logs and configuration the
way reports hold them, and looked for in what redaction leaves. False alarms: public reports and payloads that nobody seeded are
redacted, and identifiers that triage lives on (hashes, GUIDs, trace ids, versions) must stay as they are.
"""

import argparse
import base64
import json
import random
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from evals.commands.shared import positive, write_json
from evals.data import data_dir, load_dataset
from evals.report import table
from evals.stats import wilson
from evals.suites.redaction_unseen import LOOKALIKES, PERSONAL, PROSE, SURROUNDED, TOKENS
from qa_agents.llm.redact import PERSONAL_NAMES, find_sensitive, redact

PER_TYPE = 200
REPORTS = 4_000
SEED = 20_260
HEX, ALNUM = "0123456789abcdef", string.ascii_letters + string.digits
Make = Callable[[random.Random], str]


class Rate(BaseModel):
    """How many of n, of one type."""

    name: str
    hits: int
    n: int


class Found(BaseModel):
    """The whole measurement."""

    hidden: list[Rate]
    """Per type: values of which nothing is left."""
    issued: list[Rate]
    """The same for types by their issuers' formats, secrets that need no surroundings and secrets that do."""
    personal: list[Rate]
    """The same for personal data."""
    kept: list[Rate]
    """Per kind of identifier: those that stayed as they were."""
    prose: list[str]
    """Sentences that hold no secret and were changed."""
    public: list[Rate]
    """Per set of public texts: those in which a secret was hidden, and those in which personal data was."""
    names: dict[str, int]
    """What was hidden there, by pattern."""
    samples: list[str]
    """The sentences of values that were missed, the value replaced by its type."""


def _some(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def _card(rng: random.Random) -> str:
    start, length = rng.choice([("4", 16), ("51", 16), ("37", 15), ("6011", 16)])
    body = start + _some(rng, string.digits, length - len(start) - 1)
    total = sum(int(d) if at % 2 else sum(divmod(2 * int(d), 10)) for at, d in enumerate(reversed(body)))
    number = body + str(-total % 10)
    groups = (4, 6, 5) if length == 15 else (4, 4, 4, 4)
    separator, parts, at = rng.choice(["", " ", "-"]) if length == 16 else rng.choice(["", " "]), [], 0
    for size in groups:
        parts.append(number[at : at + size])
        at += size
    return separator.join(parts)


def _iban(rng: random.Random) -> str:
    country, length = rng.choice([("DE", 22), ("FR", 27), ("GB", 22), ("NL", 18), ("AT", 20)])
    letters = {"GB": 4, "NL": 4}.get(country, 0)
    account = _some(rng, string.ascii_uppercase, letters) + _some(rng, string.digits, length - 4 - letters)
    value = int("".join(str(int(char, 36)) for char in account + country + "00"))
    code = f"{country}{98 - value % 97:02}{account}"
    return code if rng.random() < 0.5 else " ".join(code[at : at + 4] for at in range(0, len(code), 4))


def _jwt(rng: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head = {"alg": rng.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    return f"{part(head)}.{part({'sub': _some(rng, HEX, 12), 'iat': rng.randrange(10**9)})}.{_some(rng, ALNUM, 43)}"


def _pem(rng: random.Random) -> str:
    kind = rng.choice(["RSA ", "EC ", "", "OPENSSH "])
    body = "\n".join(_some(rng, ALNUM + "+/", 64) for _ in range(rng.randint(4, 20)))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


def _mail(rng: random.Random) -> str:
    local = rng.choice(["{a}", "{a}.{b}", "{a}+{b}", "{a}_{b}9"])
    name = local.format(a=_some(rng, string.ascii_lowercase, 6), b=_some(rng, string.ascii_lowercase, 5))
    return (
        f"{name}@{_some(rng, string.ascii_lowercase, 8)}.{rng.choice(['com', 'org', 'co.uk', 'de', 'io', 'example'])}"
    )


def _phone(rng: random.Random) -> str:
    digits = _some(rng, string.digits, 7)
    return rng.choice([f"+49 151 {digits}", f"+1-555-{digits[:3]}-{digits[3:]}", f"+44 20 {digits[:4]} {digits[3:]}"])


def _address(rng: random.Random) -> str:
    return f"{rng.choice([31, 52, 81, 104, 185, 203])}.{rng.randint(10, 250)}.{rng.randint(10, 250)}.{rng.randint(10, 250)}"


def _password(rng: random.Random) -> str:
    return (
        _some(rng, string.ascii_letters, 6)
        + _some(rng, string.digits, 2)
        + rng.choice("!$%&?*+-_")
        + _some(rng, ALNUM, 4)
    )


SEEDED: dict[str, Make] = {
    "private key (PEM)": _pem,
    "AWS access key": lambda r: "AKIA" + _some(r, string.ascii_uppercase + string.digits, 16),
    "GitHub token": lambda r: r.choice(["ghp_", "gho_", "ghs_"]) + _some(r, ALNUM, 36),
    "GitHub fine-grained token": lambda r: "github_pat_" + _some(r, ALNUM, 22) + "_" + _some(r, ALNUM, 59),
    "GitLab token": lambda r: "glpat-" + _some(r, ALNUM + "-_", 20),
    "Slack token": lambda r: f"xoxb-{_some(r, string.digits, 12)}-{_some(r, string.digits, 12)}-{_some(r, ALNUM, 24)}",
    "Slack webhook": lambda r: (
        f"https://hooks.slack.com/services/T{_some(r, ALNUM, 8).upper()}/B{_some(r, ALNUM, 8).upper()}/{_some(r, ALNUM, 24)}"
    ),
    "Stripe key": lambda r: r.choice(["sk_live_", "rk_live_", "sk_test_"]) + _some(r, ALNUM, 24),
    "OpenAI-style key": lambda r: r.choice(["sk-proj-", "sk-", "sk-ant-"]) + _some(r, ALNUM, 44) + "7",
    "Google API key": lambda r: "AIza" + _some(r, ALNUM + "-_", 34) + "x",
    "npm token": lambda r: "npm_" + _some(r, ALNUM, 36),
    "Atlassian token": lambda r: "ATATT3" + _some(r, ALNUM + "-_", 180) + "=" + _some(r, HEX.upper(), 8),
    "SendGrid key": lambda r: f"SG.{_some(r, ALNUM, 22)}.{_some(r, ALNUM, 43)}",
    "JSON web token": _jwt,
    "card number (Luhn)": _card,
    "IBAN (mod 97)": _iban,
    "e-mail address": _mail,
    "public IPv4 address": _address,
    "telephone number": _phone,
}
"""Values that carry their own shape; each is put into every kind of PLACES."""
PLACES = (
    "Steps: open the page with {} and press save.",
    "2024-03-01 12:00:01,123 ERROR [worker-3] request failed for {} after 30 s",
    '{{"level": "warn", "value": "{}", "attempt": 2}}',
    "export VALUE={}",
    "The customer wrote:\n> it is {}\n> please help",
    "| field | value |\n| --- | --- |\n| given | {} |",
    "({})",
    "curl https://api.host.test/v1/items -d 'value={}'",
)
NAMED: dict[str, tuple[Make, tuple[str, ...]]] = {
    "password beside its name": (
        _password,
        (
            "password={}",
            "password: {}",
            'DB_PASSWORD="{}"',
            "spring.datasource.password={}",
            "login with pwd {} fails",
            "The password is {} on staging",
            "<password>{}</password>",
            "mysql -u root -p{} shop",
            "--password {}",
        ),
    ),
    "password in an address": (
        _password,
        ("postgres://app:{}@db.internal:5432/shop", "https://ci:{}@git.example.test/x.git", "redis://:{}@cache:6379/0"),
    ),
    "bearer token": (
        lambda r: _some(r, ALNUM + "-_", 40) + "7",
        (
            "Authorization: Bearer {}",
            '"authorization": "Bearer {}"',
            "-H 'Authorization: Bearer {}'",
            "authorization=Bearer {}",
        ),
    ),
    "session cookie": (
        lambda r: _some(r, ALNUM, 32),
        ("Cookie: session={}", "Set-Cookie: sid={}; Path=/; HttpOnly", "cookie: a=1; JSESSIONID={}"),
    ),
    "API key beside its name": (
        lambda r: _some(r, HEX, 32),
        (
            "api_key={}",
            "X-Api-Key: {}",
            '"apiKey": "{}"',
            "client_secret: {}",
            "?access_token={}&page=2",
            "API key {} was refused",
        ),
    ),
    "Azure account key": (
        lambda r: _some(r, ALNUM + "+/", 86) + "==",
        (
            "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=core.windows.net",
            "AccountKey={}",
        ),
    ),
}
"""Values that only their surroundings give away."""
IDENTIFIERS: dict[str, Make] = {
    "commit hash": lambda r: _some(r, HEX, 40),
    "short commit hash": lambda r: _some(r, HEX, 8),
    "SHA-256": lambda r: _some(r, HEX, 64),
    "GUID": lambda r: "-".join(_some(r, HEX, n) for n in (8, 4, 4, 4, 12)),
    "trace id": lambda r: f"00-{_some(r, HEX, 32)}-{_some(r, HEX, 16)}-01",
    "version of three parts": lambda r: ".".join(str(r.randint(0, 30)) for _ in range(3)),
    "version of four parts": lambda r: (
        f"{r.randint(0, 30)}.{r.randint(0, 12)}.{r.randint(0, 30)}.{r.randint(0, 9_999)}"
    ),
    "build number": lambda r: _some(r, "123456789", 9),
    "private address": lambda r: r.choice(["10.0.{}.{}", "192.168.{}.{}"]).format(r.randint(0, 250), r.randint(0, 250)),
    "memory address": lambda r: "0x" + _some(r, HEX, 16),
    "issue key": lambda r: _some(r, string.ascii_uppercase, 4) + "-" + str(r.randint(1, 99_999)),
    "timestamp": lambda r: str(1_600_000_000_000 + r.randrange(10**11)),
}


def measure(per_type: int, seed: int, public: Sequence[tuple[str, Sequence[str]]]) -> Found:
    """Seed, redact and count. `public`: name and texts of sets that nobody seeded."""
    rng, samples = random.Random(seed), list[str]()

    def hidden(cases: Mapping[str, tuple[Make, tuple[str, ...]]]) -> list[Rate]:
        return [_hidden(name, *case, per_type, rng, samples) for name, case in cases.items()]

    seeded = hidden({name: (make, PLACES) for name, make in SEEDED.items()} | NAMED)
    issued = hidden({name: (make, PLACES) for name, make in TOKENS.items()} | SURROUNDED)
    personal = hidden(PERSONAL)
    kept = []
    for name, make in (IDENTIFIERS | LOOKALIKES).items():
        values = [(make(rng), PLACES[number % len(PLACES)]) for number in range(per_type)]
        kept.append(
            Rate(name=name, hits=sum(value in redact(place.format(value)).text for value, place in values), n=per_type)
        )
    rates, names = [], Counter[str]()
    for name, texts in public:
        spans = [find_sensitive(text) for text in texts]
        names.update(span.name for found in spans for span in found)
        for kind, about_people in (("a secret", False), ("personal data", True)):
            hits = sum(any((span.name in PERSONAL_NAMES) == about_people for span in found) for found in spans)
            rates.append(Rate(name=f"{name}: {kind}", hits=hits, n=len(texts)))
    return Found(
        hidden=seeded,
        issued=issued,
        personal=personal,
        kept=kept,
        prose=[sentence for sentence in PROSE if redact(sentence).text != sentence],
        public=rates,
        names=dict(names.most_common()),
        samples=samples,
    )


def _hidden(name: str, make: Make, places: tuple[str, ...], n: int, rng: random.Random, samples: list[str]) -> Rate:
    """How many of n values nothing is left of; the places of those that were missed go to `samples`."""
    hits = 0
    for number in range(n):
        value, place = make(rng), places[number % len(places)]
        gone = not _shows(value, redact(place.format(value), phones="telephone" in name).text)
        hits += gone
        if not gone and (told := f"{name}: {place.format('⟨…⟩')!r}") not in samples:
            samples.append(told)
    return Rate(name=name, hits=hits, n=n)


def _shows(value: str, left: str) -> bool:
    """Whether a telling part of the value is still there: any eight of its last 24 characters in a row."""
    body = max(value.split("\n")[1:-1] or [value], key=len)[-24:]
    width = min(8, len(body))
    return any(body[at : at + width] in left for at in range(max(1, len(body) - width + 1)))


def told(found: Found) -> str:
    """The tables."""
    titles = ("seeded", "by the issuers' formats", "personal data")
    parts = [
        table((title, "hidden (95 % interval)", "cases"), [_row(one) for one in [*rates, _total(rates)]])
        for title, rates in zip(titles, (found.hidden, found.issued, found.personal), strict=True)
    ]
    parts.append(table(("identifier", "kept as it is", "cases"), [_row(one) for one in found.kept]))
    parts.append(
        f"Sentences about secrets that hold none: {len(found.prose)} of {len(PROSE)} changed. {' | '.join(found.prose)}"
    )
    if found.public:
        rows = [(one.name, f"{1000 * one.hits / one.n:.1f}", *_row(one)[1:]) for one in found.public if one.n]
        parts.append(table(("public texts, not seeded", "per 1,000", "with something hidden", "cases"), rows))
        parts.append(
            "Hidden there: " + (", ".join(f"{name} {count}" for name, count in found.names.items()) or "nothing") + "."
        )
    if found.samples:
        parts.append("Missed:\n" + "\n".join(f"- {one}" for one in found.samples))
    return "\n\n".join(parts)


def public_texts(limit: int) -> Iterator[tuple[str, list[str]]]:
    """The development data's reports and payloads, as far as they are there."""
    if (reports := load_dataset()) is not None:
        texts = [report.text for report in reports.incidents]
        step = max(1, len(texts) // limit)
        yield "bug reports", texts[::step][:limit]
    for name in ("payloads.dev.jsonl", "triage.dev.jsonl"):
        if (file := data_dir() / "injection" / name).is_file():
            yield f"injection, {name}", [str(json.loads(line)["text"]) for line in file.read_text("utf-8").splitlines()]


def _total(rates: Sequence[Rate]) -> Rate:
    return Rate(name="all types", hits=sum(one.hits for one in rates), n=sum(one.n for one in rates))


def _row(one: Rate) -> tuple[str, str, str]:
    return one.name, str(wilson(one.hits, one.n)), f"{one.hits} of {one.n}"


def main() -> int:
    """Measure and print; always 0: what is missed is a number, not a failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-type", type=positive, default=PER_TYPE, metavar="N", help="seeded values of each type")
    parser.add_argument("--reports", type=positive, default=REPORTS, metavar="N", help="public reports to look through")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every number as JSON")
    options = parser.parse_args()
    found = measure(options.per_type, options.seed, list(public_texts(options.reports)))
    print(told(found), flush=True)
    write_json(options.json, redaction=found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
