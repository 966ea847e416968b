"""Three linked planes through a volume with its masks."""
