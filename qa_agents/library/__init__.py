"""Inputs for testing AI systems: seeds, templates and transforms, each with the property that the system's answer must have."""
