"""The engine under everything that must survive: one schema over SQLite and PostgreSQL."""
