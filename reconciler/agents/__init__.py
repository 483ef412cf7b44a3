"""One module per tool: how it is started, and what its output says. Pure."""
