"""Tests of the adapters to Azure."""
