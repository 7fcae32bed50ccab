"""Rules that templates, roles and scripts have to keep."""
