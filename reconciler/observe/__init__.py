"""Ask all hosts in parallel → Observed: seen, or unseen with the reason."""
