"""The status page in a browser, on the real app over a world in memory."""
