"""Facts that all processes may know, each for as long as it is true."""
