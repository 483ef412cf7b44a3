"""Deciding, as cases, as properties, and over the whole input space of one task."""
