"""Where reports live for the team: the Tracker protocol and its implementations."""
