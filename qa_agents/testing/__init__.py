"""Twins of the ports that ship with the package, for tests here and in code that builds on it."""
