"""What every room speaks: grids, findings, text, files, threads; no file format, no target."""
