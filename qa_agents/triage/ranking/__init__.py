"""Which past incident a report repeats: pair features, a learned order of the candidates, and its weights."""
