"""Probes for qualities, only where the text asks for one: the measure is the requirement's own."""

import re
from collections.abc import Iterator

from qa_agents.plans.schema import CoverageItem, Requirement
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.wording import in_full, outcome_of

OPEN = re.compile(
    r"\b(?:no|without(?: any)?) (?:authenticat|authori[sz]|log.?in|sign.?in|credential|token)\w*"
    r"|\b(?:authenticat|authori[sz]|log.?in|sign.?in|credential|token)\w*(?: is| are)?"
    r" (?:optional\b|not (?:required|needed|necessary))",
    re.I,
)
"""Nobody has to say who they are: the opposite of what is shut."""
_PROBES: dict[str, tuple[tuple[str, re.Pattern[str] | None, str], ...]] = {
    "performance": (
        (
            "measured-under-load",
            None,
            "Measure it under the stated load, else under the load of a usual peak hour, over a series of repetitions",
        ),
    ),
    "reliability": (
        (
            "killed-and-restarted",
            re.compile(
                r"\b(?:recover|restart|crash|fail(?:ure|over)?|power|resume|restore|backup|outage)\w{0,4}\b", re.I
            ),
            "Kill the process in the middle of the work and start it again",
        ),
        (
            "dependency-down",
            re.compile(
                r"\b(?:unavailable|timeout|times out|unreachable|down|degrad\w{1,6}|dependenc\w{1,3}|third.party)\b",
                re.I,
            ),
            "Cut the connection to the service it depends on",
        ),
        ("measured-over-time", None, "Run it over the stated period and count what fails"),
    ),
    "accessibility": (
        (
            "keyboard-only",
            re.compile(r"\b(?:keyboard|focus|tab|accessib\w{1,5}|wcag)\b", re.I),
            "Go through it with the keyboard alone",
        ),
        (
            "screen-reader",
            re.compile(r"\b(?:screen.?readers?|aria|labels?|alt|accessib\w{1,5}|wcag)\b", re.I),
            "Go through it with a screen reader",
        ),
        (
            "contrast-and-zoom",
            re.compile(r"\b(?:contrast|zoom|magnif\w{1,5}|font|colou?r|wcag)\b", re.I),
            "Look at it with large text and measure the contrast",
        ),
        ("inspected", None, "Inspect it with an accessibility checker, then by hand"),
    ),
    "internationalisation": (
        (
            "other-locale",
            re.compile(
                r"\b(?:locales?|languages?|translat\w{1,5}|regions?|currenc\w{1,3}|right.to.left|rtl|i18n|l10n)\b", re.I
            ),
            "Switch to another language and region, one of them written from right to left",
        ),
    ),
    "security": (
        (
            "without-credentials",
            re.compile(
                r"\b(?:authenticat\w{2,4}|authori[sz]\w{2,5}|log.?in|sign.?in|credentials?"
                r"|token)\b.{0,40}\b(?:required|needed|necessary)\b"
                r"|\b(?:require|need)s? (?:an? )?(?:authenticat|authori[sz]|log.?in|sign.?in|credential|valid token)"
                r"|\bmust (?:be |have )?(?:authenticated|logged in|signed in|log in|sign in)\b",
                re.I,
            ),
            "Try it without valid credentials",
        ),
        ("open-to-everybody", OPEN, "Try it without credentials"),
        (
            "tapped",
            re.compile(r"\b(?:encrypt\w{0,4}|tls|https|hash(?:ed)?|plain.?text|in transit|at rest)\b", re.I),
            "Look at what is transmitted and at what is kept",
        ),
        ("attacked", None, "Try to get around it the way an attacker would"),
    ),
    "privacy": (
        (
            "looked-for-personal-data",
            re.compile(
                r"\b(?:must|shall|should|may|can)(?:not| not| never)\b.{0,80}\b(?:appear|shown?|show|display|log(?:ged)?|visible"
                r"|leak|expos|disclos|shar|transfer|sent|send|contain|stored?|kept|export|print|publish)\w{0,3}\b"
                r"|\bnever\b.{0,80}\b(?:appear|shown?|log|leak|expos|disclos|shar|sent|contain|stored?|print|publish)\w{0,3}\b"
                r"|\b(?:anonymi[sz]|pseudonymi[sz]|mask|redact|obfuscat)\w{1,4}\b",
                re.I | re.S,
            ),
            "Look for the personal data where they must not be: screens, logs, exports, mails",
        ),
    ),
    "compatibility": (("on-each-platform", None, "Repeat it on every platform that the text names"),),
    "usability": (("first-time-user", None, "Let somebody do it who has not seen it before, and watch"),),
}


_NAMED = re.compile(r"\d|(?<=[a-z,(] )[A-Z]\w+|\b(?:mobile|desktop|tablets?|phones?)\b")
"""A platform by its name or its version; without one nobody knows on what to repeat it."""


def is_probed(requirement: Requirement) -> bool:
    """Whether a probe stands for the plain case of a statement: a quality that is asked for under no condition."""
    return not requirement.trigger and not requirement.precondition and bool(_fitting(requirement))


def probes(requirement: Requirement) -> Iterator[CoverageItem]:
    """The probes for the quality a requirement asks for, at most two; the outcome is what it says."""
    if not is_probed(requirement):
        return
    outcome = in_full(requirement, outcome_of(requirement))
    for rule, what in _fitting(requirement):
        shut, open_ = rule == "without-credentials", rule == "open-to-everybody"
        told = (
            "It is refused without valid credentials: " if shut else "It is done without credentials: " if open_ else ""
        )
        yield make_item(
            requirement,
            "non_functional",
            what,
            rule=rule,
            parameters={"probe": what},
            expected=f"{told}{outcome}",
            polarity="negative" if (requirement.negated or shut) and not open_ else "positive",
            basis="quote",
        )


def _fitting(requirement: Requirement) -> list[tuple[str, str]]:
    """Probes whose words occur; else those that need none, where the text demands something."""
    if requirement.kind == "internationalisation" and requirement.modality in ("none", "may"):
        return []
    known = _PROBES.get(requirement.kind, ())
    is_open = bool(OPEN.search(requirement.quote))
    named = [
        (rule, what)
        for rule, words, what in known
        if words is not None and words.search(requirement.quote) and not (is_open and rule == "without-credentials")
    ]
    if (
        named
        or requirement.modality == "none"
        or (requirement.kind == "compatibility" and not _NAMED.search(requirement.quote))
    ):
        return named[:2]
    return [(rule, what) for rule, words, what in known if words is None][:2]
