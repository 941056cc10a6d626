"""`python -m qa_agents`."""

from qa_agents.cli import main

main()
