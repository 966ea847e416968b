"""The app that plans, uploads and proves."""
