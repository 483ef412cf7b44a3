"""Pure: what is known → tables, text, JSON."""
