"""Component, type, priority and assignee: several witnesses, fused and calibrated on the team's own outcomes.

history (the past as arrays) → words, linear, votes, habits (the witnesses) → fusion (one probability per label) → fit, fitted
(what is kept) → explain (a proposal with its evidence).
"""
