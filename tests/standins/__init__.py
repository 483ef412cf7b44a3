"""Programs that stand in for coding agents, model APIs and GitHub in tests, and behave as the real ones were seen to."""
