"""Tests of the leader's side."""
