"""The chat: reads what a person wants, does it with the same operations as the commands, and answers with evidence."""
