"""State of each app: what is shown, what can be done, and why not; without a widget toolkit."""
