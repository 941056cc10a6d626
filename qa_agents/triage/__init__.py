"""From a bug report to a verdict: facts, relations, proposals, hypothesis, gate."""
