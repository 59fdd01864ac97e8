"""Short notices between processes."""
