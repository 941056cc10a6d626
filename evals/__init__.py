"""Measurements: how good and how fast, always beside what a user could have had with less. README.md tells how to read them.

    python -m evals triage --data FILE.jsonl    any tracker, replayed in time order through the real triage
    python -m evals all                         a five-minute version of everything
    python -m evals --help                      the others

Results go to `evals/runs/`, which is not committed.
"""
