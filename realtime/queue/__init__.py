"""The queue of jobs: at least once, in lanes, with leases."""
