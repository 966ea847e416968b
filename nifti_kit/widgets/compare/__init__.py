"""The app that compares two annotation sets."""
