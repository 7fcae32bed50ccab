"""What follows from what: pure functions on values. Nothing here awaits, does I/O, logs or asks a clock."""
