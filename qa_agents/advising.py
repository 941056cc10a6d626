"""What a language model suggests about a plan that exists: more to try, contradictions, titles. It changes nothing."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, Field

from qa_agents import planning
from qa_agents.errors import UnavailableError
from qa_agents.llm.advice import SHOWN, Advice, Adviser
from qa_agents.llm.answers import Contradiction, Scenario
from qa_agents.plans.schema import NOT_TESTED, Requirement

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

Item = TypeVar("Item")
Said = TypeVar("Said", bound=BaseModel)


class Idea(BaseModel):
    """One more thing to try; the quote stands in the requirement."""

    requirement_id: str
    technique: str
    title: str
    expectation: str
    quote: str


class Clash(BaseModel):
    """Two requirements that may not both hold, by their own words."""

    requirement_ids: tuple[str, str]
    quotes: tuple[str, str]
    why: str


class PlanAdvice(BaseModel):
    """What held the checks. A person decides what becomes of it."""

    plan: str
    ideas: list[Idea] = Field(default_factory=list)
    clashes: list[Clash] = Field(default_factory=list)
    titles: dict[str, str] = Field(default_factory=dict)
    """Case id to a clearer title with the same numbers."""
    dropped: int = 0
    """What the model said and could not show."""
    absent: list[str] = Field(default_factory=list)
    """What was asked, or would have been, and was not answered, and why."""
    models: list[str] = Field(default_factory=list)


def advise(workspace: "Workspace", name: str) -> PlanAdvice:
    """Ask about the plan called `name`, twenty requirements or cases at a time, for each use that is switched on.

    Raises NotFoundError without such a plan, UnavailableError where no model is configured.
    """
    plan = planning.plan_of(workspace, name)
    if not workspace.models.available:
        raise UnavailableError(
            "No language model is configured; the plan needs none.", hint="`[model]` in qa-agents.toml names one."
        )
    adviser, found = Adviser(workspace.models, workspace.prompts, f"plan/{name}"), PlanAdvice(plan=name)
    closed = {source.id: source.name for source in plan.sources if not workspace.shows_level(source.level)}
    if closed:
        found.absent.append(f"{', '.join(closed.values())}: restricted; nothing that rests on it was shown.")
    readable = [requirement for requirement in plan.requirements if requirement.source_id not in closed]
    open_ids = {requirement.id for requirement in readable}
    about = [
        case for case in plan.cases if not closed or (case.requirement_ids and open_ids >= set(case.requirement_ids))
    ]
    cases = [case for case in about if _may_be_shown(workspace, case.incident_ids)]
    if len(cases) < len(about):
        found.absent.append(f"{len(about) - len(cases)} cases cite restricted incidents: their titles were not shown.")
    tested = [requirement for requirement in readable if requirement.kind not in NOT_TESTED]
    for part in _parts(tested):
        texts = [requirement.text for requirement in part]
        ids = {requirement.id for requirement in part}
        titles = [case.title for case in cases if ids & set(case.requirement_ids)]
        more = _noted(found, "plan.scenarios", adviser.scenarios(texts, titles))
        found.ideas += [_idea(one, part) for one in more.items]
        pairs = _noted(found, "plan.contradictions", adviser.contradictions(texts))
        found.clashes += [_clash(one, part) for one in pairs.items]
    for some in _parts(cases):
        advice = _noted(found, "plan.wording", adviser.wording([case.title for case in some]))
        found.titles |= {some[one.case - 1].id: one.title for one in advice.items}
    return found


def _may_be_shown(workspace: "Workspace", incident_ids: Sequence[str]) -> bool:
    """Whether a model may read what these past incidents taught."""
    known = (workspace.store.get(name) for name in incident_ids)
    return all(incident is None or workspace.may_see(incident) for incident in known)


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """As many at a time as one question is about."""
    for start in range(0, len(items), SHOWN):
        yield items[start : start + SHOWN]


def _noted(found: PlanAdvice, use: str, advice: Advice[Said]) -> Advice[Said]:
    """The advice, its account added to what was found."""
    found.dropped += advice.dropped
    if advice.absent and (told := f"{use}: {advice.absent}") not in found.absent:
        found.absent.append(told)
    if advice.model and advice.model not in found.models:
        found.models.append(advice.model)
    return advice


def _idea(one: Scenario, part: Sequence[Requirement]) -> Idea:
    said = one.model_dump(exclude={"requirement"})
    return Idea(requirement_id=part[one.requirement - 1].id, **said)


def _clash(one: Contradiction, part: Sequence[Requirement]) -> Clash:
    return Clash(
        requirement_ids=(part[one.first - 1].id, part[one.second - 1].id),
        quotes=(one.first_quote, one.second_quote),
        why=one.why,
    )
