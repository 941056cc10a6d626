"""Monitoring of AI outputs: what changed, for whom, how sure that is, and what could not have been seen."""
