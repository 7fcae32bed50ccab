"""Azure Storage: the `Leases`, `StateStore` and `SwitchQueue` of ports.py."""
