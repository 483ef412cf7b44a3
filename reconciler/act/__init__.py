"""Plan → one call per host → Outcomes."""
