"""Tests of the values that flow."""
