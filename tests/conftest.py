"""Settings of the tests as a whole."""

from hypothesis import settings

# How long an example takes depends on what else the machine does; how many there are does not.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
