"""The real agent programs from npm against a model API on this machine: `make real-agents`."""
