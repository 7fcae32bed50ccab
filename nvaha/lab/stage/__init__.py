"""A whole lab: storage, Azure, NVAs, traffic, and the app on local hosts."""
