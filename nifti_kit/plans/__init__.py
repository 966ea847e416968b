"""What will land: pure, nothing is written."""
