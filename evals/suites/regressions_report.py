"""What the regression suite found, as Markdown tables."""

from evals.report import table
from evals.stats import wilson
from evals.suites.regressions import Regressions
from evals.suites.regressions_speed import Speed


def regressions_report(found: Regressions, half: str) -> str:
    """Every table of the quality part."""
    replayed = [
        (
            one.name,
            str(one.runs),
            str(one.red),
            f"{one.plain} ({one.plain_noise})",
            f"{one.named} ({one.noise})",
            f"{one.alarms} ({one.alarm_noise})",
            str(one.causes),
            str(one.quiet_runs),
            str(one.suppressed),
        )
        for one in found.replayed
    ]
    real = [
        (name, str(n), *(str(wilson(hits, n)) if n else "–" for hits in counts))
        for one in found.replayed
        for name, n, counts in (
            (f"{one.name}: stayed ≥ 3 runs", one.real, (one.first, one.third, one.ever)),
            (
                f"{one.name}: not by chance of a flake",
                one.beyond,
                (one.beyond_first, one.beyond_third, one.beyond_ever),
            ),
            (f"{one.name}: never failed before", one.clean, (one.clean_first, one.clean_third, one.clean_third)),
        )
    ]
    seeded = [
        (
            one.name,
            one.words,
            str(one.n),
            str(wilson(one.first, one.n)),
            str(wilson(one.third, one.n)),
            str(one.missed),
            f"{one.clean_first} of {one.clean}",
            f"{one.alarmed} of {one.n}",
        )
        for one in found.seeded
    ]
    equal = [
        (
            one.name,
            one.how,
            str(one.simulations),
            *(str(wilson(hits, one.simulations)) for hits in (one.alarms, one.named, one.plain, one.slower)),
        )
        for one in found.equal
    ]
    slowed = [
        (one.name, str(one.n), str(wilson(one.soon, one.n)), str(wilson(one.found, one.n)))
        for one in found.slowed
        if one.n
    ]
    promises = [(what, "kept" if kept else "MISSED") for what, kept in found.promises().items()]
    return "\n\n".join(
        [
            f"## Regressions, {half} halves of the histories",
            f"Noise suppressed over all: {found.suppressed} of {found.suppressed.n}. 95 % intervals by Wilson.",
            table(("promise", ""), promises),
            "### Pushes replayed\n\nTests over all runs; noise in brackets. Named: new or suspected; alarms: new only.",
            table(
                (
                    "history",
                    "runs",
                    "red",
                    "plain diff",
                    "named",
                    "alarms",
                    "causes named",
                    "quiet red runs",
                    "suppressed",
                ),
                replayed,
            ),
            "### Real breakages",
            table(("which", "n", "named on 1st run", "by 3rd", "ever"), real),
            "### Planted regressions",
            table(
                ("history", "words", "n", "1st run", "by 3rd", "missed", "1st run, never red before", "alarmed"), seeded
            ),
            "### Equal runs compared",
            table(("history", "drawn", "n", "alarm", "named", "plain diff", "slower"), equal),
            "### Tests made twice as slow",
            table(("history", "n", "found after 5 runs", "after 10"), slowed),
        ]
    )


def speed_report(speed: Speed) -> str:
    """The table of the speed part."""
    rows = [
        ("tests × runs", f"{speed.tests:,} × {speed.runs:,}", ""),
        ("wall time of `summarize`", f"{speed.seconds:.1f} s", "≤ 30 s"),
        ("its CPU time", f"{speed.cpu:.1f} s", ""),
        ("peak memory", f"{speed.peak_mb:,.0f} MB", "≤ 1,000 MB"),
        ("load of the machine before", f"{speed.load:.1f}", ""),
        ("failing tests of the run", f"{speed.red:,}", ""),
    ]
    return "\n\n".join(["## Speed of a summary", table(("what", "measured", "promise"), rows)])
