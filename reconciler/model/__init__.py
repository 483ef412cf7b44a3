"""The nouns: frozen dataclasses and enums, no behaviour beyond naming, no I/O."""
