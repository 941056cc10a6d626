"""What a model is asked for, each use by its name: the prompt it needs, whether it is on by default, and why."""

from typing import NamedTuple

from qa_agents.llm.schema import Role


class Use(NamedTuple):
    """One use of a model; every use can be switched by `[model.uses]`."""

    prompt: str
    role: Role
    on: bool
    standing: str
    """Why it is on or off: what was measured, or that nothing was."""


_UNMEASURED = "off: not measured against doing without"
_SMALL = "off: it did not help with small models (`python -m evals witness`): {}; no larger one was measured"
_RELATIONS = _SMALL.format(
    "first candidate right in 11 of 35 reports with 1.5B parameters, 18 without (-.20, -.37 to -.06); unchanged with 135M"
)
_HYPOTHESIS = _SMALL.format(
    "a hypothesis that holds the checks in 19 of 35 reports with 1.5B parameters, 0 of 17 with 135M; "
    "whether it is right was not measured"
)

USES: dict[str, Use] = {
    "triage.facts": Use("triage/facts", "fast", False, _UNMEASURED),
    "triage.relations": Use("triage/relations", "strong", False, _RELATIONS),
    "triage.hypothesis": Use("triage/hypothesis", "strong", False, _HYPOTHESIS),
    "triage.fields": Use("triage/fields", "strong", False, _UNMEASURED),
    "triage.questions": Use("triage/questions", "fast", False, _UNMEASURED),
    "triage.summary": Use("triage/summary", "fast", False, _UNMEASURED),
    "plan.requirements": Use("plan/requirements", "strong", False, _UNMEASURED),
    "plan.scenarios": Use("plan/scenarios", "strong", False, _UNMEASURED),
    "plan.contradictions": Use("plan/contradictions", "strong", False, _UNMEASURED),
    "plan.wording": Use("plan/wording", "fast", False, _UNMEASURED),
    "results.narration": Use("results/narration", "fast", False, _UNMEASURED),
    "library.reword": Use(
        "plan/reword", "fast", True, "on: asked only with --reword; what changes the probed text is not kept"
    ),
    "chat.intent": Use("chat/intent", "fast", True, "on: asked only where the rules find no intent"),
    "chat.answer": Use("chat/answer", "strong", True, "on: words an answer whose evidence is shown beside it"),
}
