"""HTTP and sockets: everything here translates; the work is in commands and queries."""
