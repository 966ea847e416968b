"""What the apps share: sources, targets, tables, tasks."""
