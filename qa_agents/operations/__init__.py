"""What a person or a program can ask for: handle a report, decide a review, step in. CLI and service stand on these."""
