"""Lands a plan on a target, remembers it, proves it: nothing twice, nothing missing."""
