"""HTTP: requests in, JSON out."""
