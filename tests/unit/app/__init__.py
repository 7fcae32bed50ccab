"""Tests of the app as the Functions host sees it."""
