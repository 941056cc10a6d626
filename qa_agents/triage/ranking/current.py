"""Which order a workspace uses now: the shipped weights, blended with what the team's own links taught."""

from collections.abc import Callable

from qa_agents.storage.engine import Database
from qa_agents.storage.learned import Learned, learned_sha256, load_learned
from qa_agents.triage.ranking.features import VERSION
from qa_agents.triage.ranking.fit import NAME
from qa_agents.triage.ranking.ranked import Order
from qa_agents.triage.ranking.weights import Odds, Ranker, load, shipped


class CurrentOrder:
    """Answers with the newest order; what was learned since, also by another process, is noticed at the next call."""

    def __init__(self, database: Database, fingerprint: Callable[[], str]) -> None:
        self._database, self._fingerprint = database, fingerprint
        self._read: str | None = None
        self._order: Order | None = None

    def __call__(self) -> Order | None:
        """The order; None when the shipped weights are missing or damaged."""
        base = shipped()
        if base is None:
            return None
        with self._database.read() as connection:
            newest = learned_sha256(connection, NAME)
            if self._order is None or newest != self._read:
                learned = load_learned(connection, NAME) if newest else None
                self._order, self._read = order_of(base, learned, self._fingerprint()), newest
        return self._order


def order_of(base: Ranker, learned: Learned | None, fingerprint: str) -> Order:
    """The shipped order, blended with the learned one where that was fitted on this memory's similarities and features."""
    name = f"shipped {base.about.get('id', '')}".strip()
    if learned is None:
        return Order(name, base)
    about = learned.about
    own = load(learned.body) if (about.get("fingerprint"), about.get("features")) == (fingerprint, VERSION) else None
    weight = about.get("weight")
    if own is None or own.names != base.names or not isinstance(weight, int | float) or not 0 <= weight <= 1:
        return Order(name, base)
    odds = about.get("odds")
    return Order(
        f"{name}, own {learned.sha256[:12]} at {weight:.2f}",
        base,
        own,
        float(weight),
        Odds(*map(float, odds)) if isinstance(odds, list) and len(odds) == 3 else None,
    )
