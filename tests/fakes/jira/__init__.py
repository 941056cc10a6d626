"""A stateful stand-in for a Jira site, for tests: Cloud and Data Center, with the faults of real ones."""
