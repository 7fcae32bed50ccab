"""High availability for Azure network virtual appliances, serverless."""

__version__ = "0.1.0"
