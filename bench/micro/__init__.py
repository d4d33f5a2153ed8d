"""Micro: the time of one call of each compiled function, alone. Tells what changed, not what a user feels."""
