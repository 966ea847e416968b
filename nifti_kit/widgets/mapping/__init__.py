"""The app that gives annotations their volumes."""
