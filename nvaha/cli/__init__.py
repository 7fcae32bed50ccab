"""The `nvaha` command: what operators type."""
