"""The ports on Azure."""
