"""What wakes the loop: commits, doorbells, requests beside the daemon. A hint each, never a truth."""
