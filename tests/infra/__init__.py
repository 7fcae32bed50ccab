"""Templates, roles, queries and scripts, checked without Azure."""
