"""Targets: where a plan lands."""
