"""Stands in for the Azure Functions host, for one function app."""
