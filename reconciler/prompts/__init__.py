"""What agents are told: Markdown templates, and the schema of what they answer."""
