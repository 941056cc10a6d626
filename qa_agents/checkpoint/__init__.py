"""The human checkpoint: the one interrupt, the reviews that wait, the ledger of what happened."""
