"""What lies in a source, and what belongs together."""
