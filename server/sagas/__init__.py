"""Work in several steps that somebody else can go on with."""
