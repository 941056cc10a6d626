"""What the failures of the past say about a new one: were such words a passing trouble, or did they stay?

A streak of failures that ended within STAYED - 1 runs passed by itself; a longer one stayed. From their counts comes the
likelihood ratio of a failure's signature for "broke" against "flaked", and the suite's own record: how often a test's first
failure stayed.
"""

from collections import Counter, defaultdict

from qa_agents.results.history import WINDOW, History, episodes
from qa_agents.results.signature import Signature

STAYED = 3
"""Runs in a row after which a failure counts as one that stayed."""
LIMITS = 0.2, 50.0
"""Words never weigh more than this: they are a witness, not the judge. Less against a breakage than for one: a real one may
speak in the words of a well-known flake."""
_TRUST = (4.0, 1.0)
"""Prior of the suite's record, as if so many first failures had stayed and passed: an unknown suite is taken at its word."""
_PASSED, _STAYED = 0, 1


class Evidence:
    """Counts over the WINDOW runs before a column of a history."""

    def __init__(self, history: History, upto: int) -> None:
        start = max(0, upto - WINDOW)
        history, upto = history.window(start, upto), upto - start
        self.first_stayed, self.first_passed = 0, 0
        """What became of the first failure of tests that had been green before."""
        self._seen: tuple[Counter[str], Counter[str]] = Counter(), Counter()
        self._novel = [0, 0]
        self._total = [0, 0]
        self._of_test: defaultdict[int, Counter[str]] = defaultdict(Counter)
        closed: list[tuple[int, int, int, str]] = []
        for row, streaks, is_open in episodes(history, upto):
            was_green = bool((history.codes[row, : streaks[0][0]] == 0).any())
            for place, streak in enumerate(streaks):
                stayed = len(streak) >= STAYED
                if not stayed and is_open and place == len(streaks) - 1:
                    continue  # nobody knows yet
                kind = _STAYED if stayed else _PASSED
                closed.append((streak[0], row, kind, history.signature(row, streak[0]).key))
                if place == 0 and was_green:
                    self.first_stayed += kind
                    self.first_passed += 1 - kind
        known: set[str] = set()
        for _, row, kind, key in sorted(closed):
            self._total[kind] += 1
            if not key:
                continue
            if key not in known:
                known.add(key)
                self._novel[kind] += 1
            self._seen[kind][key] += 1
            if kind == _PASSED:
                self._of_test[row][key] += 1

    @property
    def first_record(self) -> float:
        """How likely a first failure of a green test stays in this suite, 0 to 1: the posterior mean, trusting at first."""
        stayed, passed = _TRUST[0] + self.first_stayed, _TRUST[1] + self.first_passed
        return stayed / (stayed + passed)

    def odds(self, test: int, said: Signature) -> float:
        """P(these words | it broke) / P(these words | it flaked), within LIMITS; 1 for a failure without words.

        Words never met are weighed by how often either kind of failure brought new words; words that this very test flaked with
        before weigh most against it having broken.
        """
        if not said.key:
            return 1.0
        own = self._of_test.get(test, Counter())
        flaked = own.total()
        share_own = flaked / (flaked + 2)
        seen = [self._seen[kind][said.key] for kind in (_PASSED, _STAYED)]
        novel = [(self._novel[kind] + 1) / (self._total[kind] + 2) for kind in (_PASSED, _STAYED)]
        if not any(seen):
            broke, flake = novel[_STAYED], (1 - share_own) * novel[_PASSED] + share_own / (flaked + 1)
        else:
            overall = sum(seen) / max(1, sum(self._total))
            broke = (1 - novel[_STAYED]) * (seen[_STAYED] + 2 * overall) / (self._total[_STAYED] + 2)
            flake = (1 - share_own) * (1 - novel[_PASSED]) * (seen[_PASSED] + 2 * overall) / (self._total[_PASSED] + 2)
            flake += share_own * own[said.key] / (flaked + 1)
        low, high = LIMITS
        return min(high, max(low, broke / max(flake, 1e-9)))
