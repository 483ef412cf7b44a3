"""The ledger and what lies beside it, with real files and real processes."""
