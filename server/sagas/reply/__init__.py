"""How a reply is made, step by step, by whoever lives: what comes next, how long it may take, and what if not."""
