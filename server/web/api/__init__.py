"""The HTTP routes, a module for each kind of thing: each handler is a translation of one command or query."""
