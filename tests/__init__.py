"""Tests, mirroring nvaha/."""
