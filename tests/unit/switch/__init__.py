"""Tests of the worker's side."""
