"""Pure: Desired, Observed, Memory, now → Plan. It cannot fail: what is wrong was a Problem before."""
