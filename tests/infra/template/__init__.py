"""Templates evaluated on paper."""
