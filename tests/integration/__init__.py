"""Tests against a real Azurite."""
