"""The worker's side: from a queued request to routes and public IPs moved, verified and on record."""
