"""What to ask the reporter: what is required, what is missing, and which answer would change the decision."""
