"""Whether a person must look: the rules, what the team's record allows, and the bound on what may be missed."""
