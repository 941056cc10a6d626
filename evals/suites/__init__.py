"""One module per measurement; each has a `run_…` function that returns a result with nothing left out."""
