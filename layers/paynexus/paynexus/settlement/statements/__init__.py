"""The bank's words applied: statuses, statements, returns."""
