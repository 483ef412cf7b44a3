"""A commit of the fleet repository → documents with file and line → Desired and Problems."""
