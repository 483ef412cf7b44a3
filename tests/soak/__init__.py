"""The daemon for a long time: thousands of cycles against real hosts with faults, and a count of everything that is left."""
