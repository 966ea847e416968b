"""What can be done about findings: offered, looked at before and after, taken, undone."""
