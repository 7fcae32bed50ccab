"""One process of the function app: settings in, everything wired, kept from one invocation to the next."""
