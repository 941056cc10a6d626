"""The memory: past reports with what became of them, and how to find the like of a new one."""
