"""A tracker's history replayed through the real triage, report by report; see evals/README.md."""
