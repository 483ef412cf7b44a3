"""Hosts that lie: the real program over a real sshd, whose login answers what no host would."""
