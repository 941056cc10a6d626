"""Numbers in Prometheus' text format (version 0.0.4): counters and one histogram of this process, gauges from the database."""

from collections.abc import Mapping

Labels = tuple[tuple[str, str], ...]
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds."""
HELP = {
    "qa_agents_deliveries_total": "Requests to the hooks by source and outcome.",
    "qa_agents_delivery_seconds": "From the first byte of a delivery to its acknowledgement.",
    "qa_agents_flushes_total": "Group commits made.",
    "qa_agents_flushed_total": "Deliveries in them.",
    "qa_agents_flush_seconds_total": "Time they took.",
    "qa_agents_intake": "Deliveries by state.",
    "qa_agents_jobs": "Jobs by state.",
    "qa_agents_oldest_job_seconds": "How long the oldest due job has waited.",
    "qa_agents_waiting_deliveries": "Deliveries that wait for the disk.",
    "qa_agents_reports": "Received reports by what became of them.",
}


class Metrics:
    """Counts in the event loop's thread only."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, Labels], float] = {}
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = (name, tuple(labels.items()))
        self._counters[key] = self._counters.get(key, 0) + amount

    def value(self, name: str, **labels: str) -> float:
        """What a counter stands at."""
        return self._counters.get((name, tuple(labels.items())), 0)

    def acknowledged(self, seconds: float) -> None:
        """One delivery's time."""
        self._seconds += seconds
        place = next((number for number, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        self._buckets[place] += 1

    def flushed(self, size: int, seconds: float) -> None:
        """One group commit."""
        self.count("qa_agents_flushes_total")
        self.count("qa_agents_flushed_total", size)
        self.count("qa_agents_flush_seconds_total", seconds)

    def render(self, gauges: Mapping[tuple[str, Labels], float]) -> str:
        """Everything as text, `gauges` beside what was counted."""
        lines: list[str] = []
        for kind, values in (("counter", self._counters), ("gauge", gauges)):
            for name in sorted({name for name, _ in values}):
                lines += [f"# HELP {name} {HELP.get(name, name)}", f"# TYPE {name} {kind}"]
                lines += [
                    f"{name}{_braced(labels)} {value:g}" for (own, labels), value in values.items() if own == name
                ]
        return "\n".join([*lines, *self._histogram(), ""])

    def _histogram(self) -> list[str]:
        name, total = "qa_agents_delivery_seconds", 0
        lines = [f"# HELP {name} {HELP[name]}", f"# TYPE {name} histogram"]
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self._buckets, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{name}_sum {self._seconds:.6f}", f"{name}_count {total}"]


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
