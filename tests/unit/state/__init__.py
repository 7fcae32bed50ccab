"""Tests of what the loops share."""
