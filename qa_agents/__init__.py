"""qa-agents: a QA assistant that triages bug reports and stops where a person must judge."""

__version__ = "0.1.0"
