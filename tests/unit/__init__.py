"""One module at a time, without services."""
