"""Scorers: pure functions from answers and truths to numbers, each defined in its docstring and tested by hand-counted cases."""
