"""Who is where: the users that each instance has in a topic, and short notices to those who follow it."""
