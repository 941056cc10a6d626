"""What a report says, each with the words that say it; and what about its text matters to the gate."""
