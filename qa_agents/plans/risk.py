"""Risk of a requirement: impact times likelihood with reasons, citing what broke in its area before, and what that teaches."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from qa_agents.incidents.schema import Incident
from qa_agents.plans.past import Cluster, about, clusters_near
from qa_agents.plans.past_cases import lesson_case
from qa_agents.plans.schema import Requirement, Risk, Smell, TestCase
from qa_agents.plans.techniques import testable
from qa_agents.plurals import counted

Similar = Callable[[str], Sequence[tuple[float, Incident]]]
MOST_LOOKUPS = 400
"""So many requirements, the gravest first, are looked up in the memory; a longer text would take minutes."""
MOST_LESSONS = 2
"""Regression cases a requirement takes from the past."""
_IMPACT: tuple[tuple[int, str, re.Pattern[str]], ...] = tuple(
    (level, why, re.compile(words, re.I))
    for level, why, words in (
        (
            3,
            "it concerns somebody's safety",
            r"\b(?:patients?|dos(?:e|age|ing)|alarm|emergency|braking|steering|collision|injur\w{1,3}|safety)\b",
        ),
        (
            3,
            "it moves money",
            r"\b(?:pay(?:s|ment|ments)?|refunds?|invoices?|charg(?:e|es|ed|ing)|price|amount due"
            r"|transfers?|deposits?|vouchers?|balance)\b",
        ),
        (
            3,
            "it guards access",
            r"\b(?:passwords?|authenticat\w{2,4}|authori[sz]\w{2,5}|permissions?|roles?|tokens?"
            r"|credentials?|log(?:s|ged|ging)? in|sign(?:s|ed|ing)? in|encrypt\w{0,4})\b",
        ),
        (
            3,
            "it concerns personal data",
            r"\b(?:personal data|privacy|consent|gdpr|health (?:data|records?)|medical|date of birth"
            r"|anonymi[sz]\w{1,5})\b",
        ),
        (
            3,
            "data may be lost",
            r"\b(?:delet(?:e|es|ed|ing|ion)|destroy\w{0,3}|overwrit\w{1,5}|migrat\w{1,4}|backup"
            r"|restor\w{1,3}|lost|discard\w{0,3})\b",
        ),
        (
            2,
            "it is stored and read again",
            r"\b(?:sav(?:e|es|ed)|stor(?:e|es|ed)|persist\w{0,3}|import\w{0,3}|export\w{0,3}|sync\w{0,9})\b",
        ),
        (
            2,
            "people wait for it",
            r"\b(?:notif\w{2,9}|remind\w{1,3}|e-?mails?|sms|messages?|bookings?|books|orders?)\b",
        ),
    )
)
_COMPLEX: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (why, re.compile(words, re.I))
    for why, words in (
        (
            "dates and time zones are easy to get wrong",
            r"\b(?:time ?zones?|midnight|daylight|utc|leap|expir\w{1,6}|recurring|schedul\w{1,4})\b",
        ),
        (
            "things happen at the same time",
            r"\b(?:concurren\w{1,3}|simultaneous\w{0,2}|at the same time|race|lock(?:s|ed|ing)?|double.book\w{0,4})\b",
        ),
        (
            "another system is involved",
            r"\b(?:third.party|external|webhooks?|integrat\w{1,5}|provider|sync\w{0,9}|gateway|callback)\b",
        ),
        (
            "it is calculated",
            r"\b(?:calculat\w{1,5}|round(?:ed|ing|s)?|percent\w{0,4}|tax|discounts?|pro.?rat\w{1,3}|convert\w{0,3})\b",
        ),
        ("text is parsed", r"\b(?:pars(?:e|es|ed|ing)|escap(?:e|es|ed|ing)|encod\w{1,4}|unicode|utf-8|delimiter)\b"),
    )
)
_RISKY_SMELLS = {
    "contradiction": "the text contradicts itself",
    "tbd": "part of it is still to be decided",
    "vague": "its wording is vague",
    "missing_error": "the text does not say what happens when it goes wrong",
    "undefined_term": "it uses a term nobody defines",
}


def assess(requirements: Sequence[Requirement], smells: Sequence[Smell], similar: Similar = lambda _: ()) -> list[Risk]:
    """One risk for each requirement that is tested, in order, with the reasons for both figures.

    Impact is read off what the requirement concerns and the severity of its like in the past; likelihood off its complexity, its
    wording, and how often its area broke before. Where nothing in the memory is near, nothing is cited.
    """
    tested = testable(requirements)
    by_requirement: dict[str, list[Smell]] = defaultdict(list)
    for smell in smells:
        by_requirement[smell.requirement_id].append(smell)
    past = clusters_near(_gravest(tested), similar)
    return [_risk(one, by_requirement[one.id], past.get(one.id, [])) for one in tested]


def lessons(requirements: Sequence[Requirement], risks: Sequence[Risk], similar: Similar) -> list[TestCase]:
    """The regression cases that past incidents teach, each at the requirement it is nearest to; [] where nothing was near.

    What is done comes from the incident; what is expected, from the requirement's own words.
    """
    cited = {risk.requirement_id for risk in risks if risk.incident_ids}
    tested = [one for one in testable(requirements) if one.id in cited]
    past = clusters_near(tested, similar)
    best: dict[str, tuple[float, str]] = {}
    for one in tested:
        for cluster in past.get(one.id, []):
            claim = (cluster.nearness, one.id)
            if cluster.teaches and claim[0] > best.get(cluster.lead.id, (0.0, ""))[0]:
                best[cluster.lead.id] = claim
    risk_of = {risk.requirement_id: risk for risk in risks}
    found = []
    for one in tested:
        own = [cluster for cluster in past.get(one.id, []) if best.get(cluster.lead.id, (0.0, ""))[1] == one.id]
        found += [lesson_case(one, cluster, risk_of[one.id]) for cluster in own[:MOST_LESSONS]]
    return found


def _gravest(tested: Sequence[Requirement]) -> list[Requirement]:
    if len(tested) <= MOST_LOOKUPS:
        return list(tested)
    ranked = sorted(tested, key=lambda one: (-_impact(one)[0], one.id))[:MOST_LOOKUPS]
    chosen = {one.id for one in ranked}
    return [one for one in tested if one.id in chosen]


def _impact(requirement: Requirement) -> tuple[int, list[str]]:
    words = f"{requirement.quote} {' '.join(requirement.heading_path[-2:])}"
    found = [(level, why) for level, why, pattern in _IMPACT if pattern.search(words)]
    if requirement.kind in ("security", "privacy"):
        found.append((3, f"it is a {requirement.kind} requirement"))
    if requirement.modality == "may":
        return 1, ["the text only allows it"]
    if not found:
        return (2, ["the text demands it"]) if requirement.modality == "must" else (1, ["nothing grave is named"])
    highest = max(level for level, _ in found)
    return highest, list(dict.fromkeys(why for level, why in found if level == highest))[:2]


def _risk(requirement: Requirement, smells: Sequence[Smell], past: Sequence[Cluster]) -> Risk:
    impact, why = _impact(requirement)
    reasons = [f"Impact: {'; '.join(why)}."]
    signs = [said for said, pattern in _COMPLEX if pattern.search(requirement.quote)]
    structure = (
        len(requirement.rules) + len(requirement.transitions) + len(requirement.fields) + len(requirement.permissions)
    )
    if structure >= 4:
        signs.append(f"{structure} rules, fields and states have to work together")
    signs += list(dict.fromkeys(_RISKY_SMELLS[smell.kind] for smell in smells if smell.kind in _RISKY_SMELLS))
    likelihood = 1 + (len(signs) >= 1) + (len(signs) >= 3)
    if past:
        reports = sum(cluster.reports for cluster in past)
        grave = any(cluster.grave for cluster in past)
        likelihood = min(3, max(likelihood + 1, 3 if len(past) > 2 or any(cluster.returned for cluster in past) else 2))
        if grave and impact < 3:
            impact += 1
            reasons.append("Impact raised: what broke here before was rated among the gravest.")
        signs.append(f"its area broke before: {counted(len(past), 'problem')}, {counted(reports, 'report')}")
    reasons.append(
        f"Likelihood: {'; '.join(signs[:4])}." if signs else "Likelihood: it is plainly worded and stands by itself."
    )
    reasons += [about(cluster) for cluster in past[:3]]
    return Risk(
        requirement_id=requirement.id,
        impact=impact,
        likelihood=likelihood,
        reasons=reasons,
        incident_ids=list(dict.fromkeys(name for cluster in past for name in cluster.ids))[:12],
    )
