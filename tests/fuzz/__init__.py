"""Every reader of what strangers wrote, given what nobody should have written: `make fuzz TARGET=yaml MINUTES=10`."""
