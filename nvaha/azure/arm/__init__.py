"""Azure Resource Manager: the `Network` of ports.py."""
