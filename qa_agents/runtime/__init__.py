"""Runs and resumes graphs under a lease; applies effects once. The only place that knows savers."""
