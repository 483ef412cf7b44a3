"""The way to a host: ssh or local, and the scripts that run there."""
