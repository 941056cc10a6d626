"""One module per sub-command of `python -m evals`: `add` declares its options, `run` does it and returns the exit code.

Each imports its suite when it runs, so that one that cannot be imported does not take the others with it.
"""
