"""Tests of what operators ask and see."""
