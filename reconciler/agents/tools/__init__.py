"""One module per tool, named as it is; that a module is here makes it one. Pure."""
