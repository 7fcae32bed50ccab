"""Deterministic simulation: production code on simulated ports and a virtual clock, judged from outside."""
