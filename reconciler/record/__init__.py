"""What happened: the ledger, events, collected logs and results."""
