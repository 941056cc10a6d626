"""How a drafted plan is measured: against suites that others wrote, against its own text, and against changes of that text."""
