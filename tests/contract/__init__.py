"""What the adapters and the lab share with the real services, checked against the services' own words."""
