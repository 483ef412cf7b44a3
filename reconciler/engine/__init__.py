"""The parts of the loop: what is desired now, one operation at a time per host, collecting, the tally of a request."""
