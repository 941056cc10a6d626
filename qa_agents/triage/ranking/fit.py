"""Fits a ranker: LambdaMART (Burges 2010) through LightGBM, which is needed here and nowhere else."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qa_agents.errors import UnavailableError
from qa_agents.incidents.schema import Incident
from qa_agents.incidents.search import Memory
from qa_agents.storage.engine import Database
from qa_agents.storage.learned import keep_learned
from qa_agents.triage.ranking.examples import Examples, Progress, collect, linked_queries
from qa_agents.triage.ranking.features import VERSION
from qa_agents.triage.ranking.trees import Trees
from qa_agents.triage.ranking.weights import Model, Odds, Ranker, dump, leads, shipped

NAME = "ranker"
"""Under which the team's own ranker is kept."""
MIN_LINKS = 20
"""With fewer known duplicates nothing is fitted."""
MAX_LINKS = 2_000
"""The newest links are learned from."""
TRUST = 300
"""With so many links the own order counts as much as the shipped one."""
HOLD_OUT = 0.25
"""Share of the newest links on which the blend must prove itself."""
MIN_HELD = 40
"""With fewer held-out links the weight follows from their number alone."""
MAX_NEWS = 1_000
"""So many of the newest reports tell how often one repeats anything."""
SEEDS = (1, 2, 3, 4, 5)
ROUNDS = 250
PARAMETERS: dict[str, Any] = {
    "objective": "lambdarank", "num_leaves": 7, "learning_rate": 0.05, "min_data_in_leaf": 50, "lambda_l2": 5.0,
    "feature_fraction": 0.3, "bagging_fraction": 0.7, "bagging_freq": 1, "lambdarank_truncation_level": 20,
    "label_gain": [0, 1], "max_bin": 63, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1,
}  # fmt: skip
"""Chosen by five-fold cross-validation over duplicate clusters on the Titanium reports before 2013."""

RISING = frozenset({
    "bm25_ratio", "bm25_log", "bm25_to_best", "bm25_rank", "summary_summary", "plain_bm25", "plain_bm25_to_best",
    "cosine", "cosine_to_best", "cosine_rank", "cosine_z", "cosine_over_hub", "cosine_mutual", "summary_cosine",
    "summary_cosine_to_best", "fused", "fused_to_best", "fused_rank", "rare_shared", "rarest_shared",
    "component_vote", "cosine_words", "cosine_words_rank", "cosine_words_to_best", "summary_covered",
    "summary_in_summary", "pairs_shared", "near_pairs_shared",
})  # fmt: skip
"""More of these never lowers a candidate, and a longer time between never lifts it: what few links cannot teach."""


def train(examples: Examples, *, seeds: Sequence[int] = SEEDS, rounds: int = ROUNDS) -> Trees:
    """Trees fitted to put the right candidates first, averaged over seeds. Raises UnavailableError without LightGBM."""
    lightgbm = _lightgbm()
    answered = examples.answered()
    rows = np.concatenate(answered.rows)
    labels = np.concatenate(answered.right).astype(np.int32)
    small = max(5, min(int(PARAMETERS["min_data_in_leaf"]), len(rows) // 200))
    groups = [len(one) for one in answered.rows]
    ways = [1 if name in RISING else -1 if name == "log_gap" else 0 for name in answered.names]
    fixed = {**PARAMETERS, "min_data_in_leaf": small, "monotone_constraints": ways}
    data = lightgbm.Dataset(rows, labels, group=groups, params=fixed)
    models = [lightgbm.train({**fixed, "seed": seed}, data, rounds) for seed in seeds]
    return Trees.of([model.dump_model() for model in models])


def fit_odds(scores: Sequence[NDArray[np.float64]], right: Sequence[NDArray[np.bool_]], *, steps: int = 50) -> Odds:
    """The probability curve of a ranker's scores, on reports whether or not they repeat anything.

    Logistic regression by Newton's method on the best three of each pool, slopes not below 0, smoothed as Platt did:
    as if one more right and one more wrong candidate had been seen.
    """
    inputs, labels = [], []
    for one, correct in zip(scores, right, strict=True):
        top = np.argsort(-one, kind="stable")[:3]
        inputs.append(np.stack([one[top], leads(one)[top], np.ones(len(top))], axis=1))
        labels.append(correct[top])
    x, y = np.concatenate(inputs), np.concatenate(labels).astype(np.float64)
    y = np.where(y > 0, (y.sum() + 1) / (y.sum() + 2), 1 / (len(y) - y.sum() + 2))
    for free in ((0, 1, 2), (0, 2), (2,)):
        weights = _newton(x[:, free], y, steps)
        found = dict(zip(free, weights.tolist(), strict=True))
        if found.get(0, 0.0) >= 0 and found.get(1, 0.0) >= 0:
            break
    return Odds(max(found.get(0, 0.0), 1e-6), found.get(1, 0.0), found[2])


def _newton(x: NDArray[np.float64], y: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (y - p) - 1e-3 * weights
        curve = (x * (p * (1 - p))[:, np.newaxis]).T @ x + 1e-3 * np.eye(x.shape[1])
        step = np.linalg.solve(curve, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def fit_model(examples: Examples, held: Examples, *, seeds: Sequence[int] = SEEDS, rounds: int = ROUNDS) -> Model:
    """Trees from all, their probability curve from how trees of `examples` alone did on `held`.

    `held` is later and has reports without answer too.
    """
    proved = train(examples, seeds=seeds, rounds=rounds)
    odds = fit_odds([proved.predict(rows) for rows in held.rows], held.right)
    return Model(train(examples + held, seeds=seeds, rounds=rounds), odds)


def mean_reciprocal_rank(scores: Sequence[NDArray[np.float64]], right: Sequence[NDArray[np.bool_]]) -> float:
    """Mean of 1 / rank of the first right candidate; a pool without one counts 0."""
    ranks = [
        1.0 / (1 + int((one > one[correct].max()).sum())) if correct.any() else 0.0
        for one, correct in zip(scores, right, strict=True)
    ]
    return float(np.mean(ranks)) if ranks else 0.0


def blend_weight(examples: Examples, base: Trees, *, seeds: Sequence[int] = SEEDS[:2]) -> tuple[float, Trees | None]:
    """How much the own trees are to count beside the shipped ones, 0 to 1; with the trees the newest links proved it on.

    Their number alone would say n / (n + TRUST). Where the newest quarter is large enough to tell, the weight is the
    one of five that serves it best when fitted on the rest, drawn half-way to what the number says.
    """
    answered = examples.answered()
    prior = len(answered) / (len(answered) + TRUST)
    cut = int(len(answered) * (1 - HOLD_OUT))
    if len(answered) - cut < MIN_HELD:
        return prior, None
    own = train(answered.where([place < cut for place in range(len(answered))]), seeds=seeds)
    newer = answered.where([place >= cut for place in range(len(answered))])
    pairs = [(base.predict(rows), own.predict(rows)) for rows in newer.rows]
    grid = (0.0, 0.25, 0.5, 0.75, 1.0)
    quality = [mean_reciprocal_rank([(1 - w) * a + w * b for a, b in pairs], newer.right) for w in grid]
    return (prior + grid[int(np.argmax(quality))]) / 2, own


def fit_from_memory(
    memory: Memory, database: Database, progress: Progress | None = None, *, until: datetime | None = None
) -> dict[str, Any] | None:
    """Fit the team's own order on its duplicate links and keep it; what it was fitted on, or why not as `left_alone`.

    Each link is replayed as of the day the report was filed; with `until`, only what was revealed then is learned from.
    Raises UnavailableError where LightGBM cannot be loaded.
    """
    queries, base = linked_queries(memory, MAX_LINKS, until), shipped()
    if base is None:
        return {"left_alone": "the shipped weights are missing or damaged"}
    if len(queries) < MIN_LINKS:
        return {"left_alone": _too_few(f"{len(queries)} incidents are linked as duplicates of an earlier one")}
    _lightgbm()
    memory.catch_up(progress)  # a search leaves a large backlog of vectors alone
    examples = collect(memory, queries, progress=progress, total=len(queries))
    answered = examples.answered()
    if len(answered) < MIN_LINKS:
        found = f"of {len(queries)} linked duplicates the search finds the original of {len(answered)}"
        return {"left_alone": _too_few(found)}
    if examples.names != base.names:
        return {"left_alone": "the shipped weights were fitted on other features"}
    has_vectors = not np.isnan(examples.rows[-1][:, examples.names.index("cosine")]).all()
    shipped_trees = base.model(has_vectors).trees
    weight, proved = blend_weight(examples, shipped_trees)
    odds = None
    if proved is not None:
        since = answered.filed[int(len(answered) * (1 - HOLD_OUT))]
        news = collect(memory, _newest(memory, queries, since, until), progress=progress, stage="odds")
        odds = _own_odds(news, shipped_trees, proved, weight)
    model = Model(train(examples), odds or base.model(has_vectors).odds)
    about = {
        "links": len(queries),
        "in_pool": len(answered),
        "weight": round(weight, 4),
        "odds": None if odds is None else [odds.score, odds.lead, odds.constant],
        "fingerprint": memory.fingerprint,
        "features": VERSION,
        "vectors": has_vectors,
        "fitted": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    ranker = Ranker(
        base.names, model if has_vectors else base.with_vectors, base.words_only if has_vectors else model, about
    )
    with database.write() as connection:
        keep_learned(connection, NAME, dump(ranker), **about)
    return about


def _too_few(found: str) -> str:
    return f"{found}; {MIN_LINKS} are needed"


def _newest(
    memory: Memory, queries: Sequence[tuple[Incident, frozenset[str]]], since: datetime, until: datetime | None
) -> list[tuple[Incident, frozenset[str]]]:
    """Reports filed from `since` on whose outcome is known, whether or not they repeat anything."""
    wanted = {incident.id: earlier for incident, earlier in queries}
    return [
        (incident, wanted.get(incident.id, frozenset()))
        for incident in memory.store.newest_decided(MAX_NEWS)
        if incident.created and incident.created >= since and (until is None or incident.revealed_at(until))
    ]


def _own_odds(news: Examples, base: Trees, own: Trees, weight: float) -> Odds | None:
    """The blend's probability curve on the team's newest reports; None when too few of them repeat anything."""
    if sum(bool(right.any()) for right in news.right) < MIN_LINKS:
        return None
    scores = [(1 - weight) * base.predict(rows) + weight * own.predict(rows) for rows in news.rows]
    return fit_odds(scores, news.right)


def _lightgbm() -> Any:
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise UnavailableError(
            f"LightGBM cannot be loaded ({str(error).splitlines()[0]}), so no order of candidates is learned.",
            hint="Install what it needs (libgomp1 on Debian, libomp on macOS); until then the shipped weights serve.",
        ) from None
    return lightgbm
