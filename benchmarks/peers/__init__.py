"""Others, told to do the same on the same hosts."""
