"""A summary in the shapes that other programs read: job summaries, annotations, SARIF, JUnit XML. Pure: a summary to text."""
