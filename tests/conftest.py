"""What all tests share."""

pytest_plugins = ["tests.support.engines", "tests.support.house", "tests.support.chaos"]
