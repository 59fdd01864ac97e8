"""What all tests share."""

from hypothesis import settings

pytest_plugins = ["tests.support.engines", "tests.support.house", "tests.support.chaos"]

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
